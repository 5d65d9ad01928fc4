"""Writes data sets as LeRobot's versions 2.1 and 3.0 lay them out, with pyarrow."""
import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import scene
from program import ffmpeg

FPS = 20
FINE = ("-c:v", "libx264", "-crf", "6", "-pix_fmt", "yuv444p", "-g", "10", "-bf", "2")


def table(actions, episode, first, images=None, **columns):
    """The rows of one episode."""
    n = len(actions)
    rows = {
        "action": pa.array(actions.tolist(), pa.list_(pa.float32())),
        "observation.state": pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(3 * n, "f4")), 3),
        "timestamp": pa.array((np.arange(n) / FPS).astype("f4")),
        "frame_index": pa.array(np.arange(n)),
        "episode_index": pa.array(np.full(n, episode)),
        "index": pa.array(np.arange(n) + first),
        "task_index": pa.array(np.zeros(n, "i8")),
    }
    for name, values in columns.items():
        rows["next." + name] = pa.array(values)
    for key, pictures in (images or {}).items():
        rows[key] = pa.array([{"bytes": p, "path": f"frame-{i:06d}.png"} for i, p in enumerate(pictures)],
                             pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    return pa.table(rows)


def write_info(root, version, cameras, kind="video", names=("shoulder", "gripper")):
    os.makedirs(os.path.join(root, "meta"), exist_ok=True)
    features = {c: {"dtype": kind, "shape": [48, 64, 3], "names": ["height", "width", "channels"]} for c in cameras}
    features["observation.images.depth"] = {"dtype": "video", "shape": [48, 64, 1], "info": {"video.is_depth_map": True}}
    features["action"] = {"dtype": "float32", "shape": [len(names)], "names": {"motors": list(names)} if version < "v3" else list(names)}
    info = {"codebase_version": version, "fps": FPS, "features": features}
    info |= ({"chunks_size": 1000, "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
              "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"} if version < "v3" else
             {"data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
              "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"})
    with open(os.path.join(root, "meta", "info.json"), "w") as f:
        json.dump(info, f)


def write(path, rows, **options):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    pq.write_table(rows, path, **options)


def write_v21(root, episodes, cameras, images=None, columns=lambda n: {}):
    """A table and a video an episode. images(pictures): packed pictures, into the tables."""
    write_info(root, "v2.1", cameras, "image" if images else "video")
    first = 0
    for e, a in enumerate(episodes):
        pictures = {c: scene.frames(a)[:, :: 1 if k == 0 else -1] for k, c in enumerate(cameras)}
        inside = {c: images(p) for c, p in pictures.items()} if images else None
        write(os.path.join(root, f"data/chunk-000/episode_{e:06d}.parquet"), table(a, e, first, inside, **columns(len(a))))
        first += len(a)
        for c, p in pictures.items():
            if not images:
                ffmpeg(np.ascontiguousarray(p), os.path.join(root, f"videos/chunk-000/{c}/episode_{e:06d}.mp4"), *FINE, fps=FPS)
    with open(os.path.join(root, "meta", "episodes.jsonl"), "w") as f:
        f.writelines(json.dumps({"episode_index": e, "tasks": ["push"], "length": len(a)}) + "\n" for e, a in enumerate(episodes))


def write_v30(root, episodes, cameras, per_data=3, per_video=2, columns=lambda n: {}):
    """per_data episodes a table, per_video a video, so that they end at different places."""
    write_info(root, "v3.0", cameras)
    rows, tables, seconds, films = [], {}, {}, {}
    first = 0
    for e, a in enumerate(episodes):
        data, video = e // per_data, e // per_video
        tables.setdefault(data, []).append(table(a, e, first, **columns(len(a))))
        films.setdefault(video, []).append(scene.frames(a))
        start = seconds.get(video, 0.0)
        seconds[video] = start + len(a) / FPS
        row = {"episode_index": e, "length": len(a), "tasks": ["push"], "data/chunk_index": 0, "data/file_index": data,
               "dataset_from_index": first, "dataset_to_index": first + len(a), "stats/action/mean": [0.0, 0.0]}
        for c in cameras:
            row |= {f"videos/{c}/chunk_index": 0, f"videos/{c}/file_index": video, f"videos/{c}/from_timestamp": start,
                    f"videos/{c}/to_timestamp": seconds[video]}
        rows.append(row)
        first += len(a)
    for number, parts in tables.items():
        write(os.path.join(root, f"data/chunk-000/file-{number:03d}.parquet"), pa.concat_tables(parts), compression="snappy")
    for number, parts in films.items():
        for k, c in enumerate(cameras):
            pictures = np.concatenate(parts)[:, :: 1 if k == 0 else -1]
            ffmpeg(np.ascontiguousarray(pictures), os.path.join(root, f"videos/{c}/chunk-000/file-{number:03d}.mp4"), *FINE, fps=FPS)
    write(os.path.join(root, "meta/episodes/chunk-000/file-000.parquet"), pa.Table.from_pylist(rows), row_group_size=3)
