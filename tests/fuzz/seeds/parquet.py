"""Writes the seeds of fuzz_parquet, which data_import_test_parquet reads too: build/python/bin/python this."""
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 40
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "parquet")
row = np.arange(ROWS)
action = np.stack([row * 0.5, -row, row % 3], 1).astype("f4")
table = pa.table({
    "action": pa.array(action.tolist(), pa.list_(pa.float32())),
    "nested": pa.array(action[:, :2].reshape(ROWS, 2, 1).tolist(), pa.list_(pa.list_(pa.float32()))),
    "episode_index": pa.array(row // 16),
    "small": pa.array((row % 7 - 3).astype("i1")),
    "done": pa.array(row % 16 == 15),
    "holes": pa.array([None if i % 5 == 0 else i / 4 for i in row.tolist()]),
    "when": pa.array(row * 50_000_000 + 1_700_000_000_000_000_000, pa.timestamp("ns")),
    "picture": pa.array([{"bytes": bytes([i]) * (i % 4), "path": None if i % 2 else f"{i}.png"} for i in row.tolist()],
                        pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    "task": pa.array([f"task {i % 2}" for i in row]),
})
for name, options in {
    "snappy": dict(compression="snappy", row_group_size=16, store_schema=False),  # as LeRobot writes: a group an episode
    "zstd_v2": dict(compression="zstd", data_page_version="2.0", write_page_checksum=True, store_schema=False),
    "gzip_plain": dict(compression="gzip", use_dictionary=False, data_page_size=64, write_batch_size=8, store_schema=False),
    "none_split": dict(compression="none", use_dictionary=["task"], use_byte_stream_split=["action.list.element"], store_schema=False),
}.items():
    pq.write_table(table, os.path.join(OUT, f"{name}.parquet"), **options)
