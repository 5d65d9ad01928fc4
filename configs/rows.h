// Every knob of Orrery, one row each: the struct, the parser, range checks, `orrery config
// print|check|doc` and the manifest's hash all expand these rows. A new knob is a new row here.
//
//   I64 (name, default, lowest, highest, unit, sentence)
//   F64 (name, default, lowest, highest, unit, sentence)
//   BOOL(name, default, sentence)
//   STR (name, default, sentence)
//   ENUM(name, default, "choice|choice", sentence)   value: index of the choice (CFG_* constants)
//   LI64(name, default "1 2 3", lowest, highest, most entries, unit, sentence)
//   LF64(name, default, lowest, highest, most entries, unit, sentence)
//   LSTR(name, default "a b", most entries, sentence)
#ifndef CONFIGS_ROWS_H
#define CONFIGS_ROWS_H

#define CFG_RUN(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                       \
  STR(dir, "runs/default", "folder of the run: config.yaml, metrics.jsonl, ckpt/, report.html")    \
  I64(seed, 1, 0, 4294967295, "", "key of every random number of the run")                         \
  ENUM(device, "auto", "auto|cpu|cuda", "where tensors live; auto takes CUDA when it works")       \
  ENUM(precision, "bf16", "bf16|fp32", "type of matmul inputs and activations")                    \
  I64(threads, 0, 0, 4096, "threads",                                                              \
      "CPU threads of each rank; 0 takes its share of the cores and the CPU quota that it may "    \
      "use")                                                                                       \
  ENUM(attention, "auto", "auto|own",                                                              \
       "on a GPU, auto: cuDNN for unmasked bf16 sequences, own kernels for others; own: for all")  \
  BOOL(capture, 1, "on a GPU, keep a step's work as a CUDA graph and replay it")                   \
  BOOL(tune, 1, "on a GPU, time algorithms that give the same bits at the start, keep the fastest")

#define CFG_TRAIN(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                     \
  ENUM(stage, "dynamics", "dynamics|tokenizer", "which of the two models is trained")              \
  I64(steps, 1000, 1, 1000000000, "steps", "optimizer steps of the whole run")                     \
  I64(batch, 8, 1, 1048576, "clips", "clips in one optimizer step, over all ranks")                \
  I64(micro_batch, 0, 0, 1048576, "clips", "clips a rank runs at once; 0 = all of its share")      \
  BOOL(recompute, 0,                                                                               \
       "keep only each block's input and run its forward pass again in the backward")              \
  F64(max_wall_s, 0.0, 0.0, 1e9, "s",                                                              \
      "stop with a checkpoint and exit code 85 after this; 0 = never")                             \
  STR(init_from, "", "checkpoint to take the weights from (fine-tuning); empty = random")          \
  STR(trace_steps, "", "steps A-B whose times on all ranks are written to trace/; empty = none")

#define CFG_OPTIM(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                     \
  F64(lr_peak, 3e-4, 0.0, 1.0, "", "learning rate at the end of warm-up")                          \
  F64(lr_final, 0.1, 0.0, 1.0, "", "learning rate at the last step, as a share of lr_peak")        \
  ENUM(schedule, "wsd", "wsd|cosine|constant",                                                     \
       "shape after warm-up: stable then decay, half cosine, flat")                                \
  I64(warmup_steps, 100, 0, 1000000000, "steps", "linear warm-up from zero")                       \
  I64(decay_steps, 200, 0, 1000000000, "steps", "length of the final decay of wsd")                \
  F64(beta1, 0.9, 0.0, 0.99999, "", "AdamW's first moment")                                        \
  F64(beta2, 0.95, 0.0, 0.99999, "", "AdamW's second moment")                                      \
  F64(eps, 1e-8, 1e-16, 1.0, "", "AdamW's epsilon")                                                \
  F64(weight_decay, 0.05, 0.0, 10.0, "",                                                           \
      "decoupled decay of matrices; norms, biases and vectors have none")                          \
  F64(clip_norm, 1.0, 0.0, 1e9, "", "largest global gradient norm; 0 = no clipping")               \
  F64(ema_decay, 0.999, 0.0, 0.9999999, "", "moving average of the weights; 0 = none")

#define CFG_DATA(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                      \
  LSTR(train, "", 64, "data sets to train on: folders, or http://, https://, s3:// addresses")     \
  LF64(weights, "", 0.0, 1e9, 64, "", "share of each data set in the mixture; empty = by clips")   \
  LSTR(branch, "", 64,                                                                             \
       "branch of each data set, a name of model.branches; empty = the shard's own")               \
  I64(frames, 16, 1, 65536, "frames", "frames in a clip (T)")                                      \
  I64(stride, 1, 1, 1024, "frames", "source frames from one frame of a clip to the next")          \
  I64(prefetch, 0, 0, 1024, "batches", "batches read ahead; 0 = as many as prefetch_bytes holds")  \
  I64(prefetch_bytes, 67108864, 0, 1099511627776, "B",                                             \
      "memory of a rank for batches read ahead: 2 to 64 of them")                                  \
  I64(unpack_threads, 2, 0, 256, "threads",                                                        \
      "threads of a rank that unpack gzip and lzf; 0 = the reader does it")                        \
  I64(chunk_cache_bytes, 67108864, 1, 1099511627776, "B",                                          \
      "memory of a rank for unpacked chunks of gzip and lzf shards")                               \
  STR(cache_dir, "", "where remote sets are kept, for all of the node; empty = ~/.cache/orrery")   \
  I64(cache_bytes, 107374182400, 0, 1152921504606846976, "B",                                      \
      "kept there at most; shards that are being read may exceed it")                              \
  I64(downloads, 4, 1, 256, "files", "downloads at a time, over all ranks of the node")            \
  F64(timeout_s, 300.0, 0.1, 1e6, "s", "a remote file without progress for this long is an error") \
  STR(endpoint, "", "http(s)://host[:port] of s3:// sets; empty = AWS_ENDPOINT_URL, or Amazon's")  \
  STR(region, "", "of s3:// sets; empty = AWS_REGION, the profile's, or us-east-1")                \
  STR(ca_file, "", "certificates of trusted authorities (PEM); empty = the system's")

#define CFG_TOKENIZER(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                 \
  STR(checkpoint, "", "trained tokenizer: a run's folder or its ckpt/ (the latest), or a step-*")  \
  I64(patch, 8, 1, 256, "pixels", "side of a patch (p)")                                           \
  I64(rows, 8, 1, 1024, "tokens", "patches from top to bottom: frame height = rows * patch")       \
  I64(cols, 8, 1, 1024, "tokens", "patches from left to right: frame width = cols * patch")        \
  LI64(levels, "8 5 5 5", 2, 65536, 16, "", "FSQ levels; their product is the number of codes")    \
  I64(width, 128, 1, 65536, "", "width of the residual stream (D)")                                \
  I64(heads, 4, 1, 1024, "", "attention heads (H); divides width")                                 \
  I64(kv_heads, 4, 1, 1024, "", "key/value heads (G); divides heads")                              \
  I64(hidden, 384, 1, 1048576, "", "SwiGLU hidden width (F)")                                      \
  I64(layers, 2, 1, 1024, "blocks", "blocks in the encoder, and as many in the decoder")           \
  F64(l2, 1.0, 0.0, 1e9, "", "weight of the mean squared pixel error")                             \
  F64(l1, 0.2, 0.0, 1e9, "", "weight of the mean absolute pixel error")

#define CFG_MODEL(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                     \
  I64(rows, 8, 1, 1024, "tokens", "token rows of a frame; the tokenizer's")                        \
  I64(cols, 8, 1, 1024, "tokens", "token columns of a frame; the tokenizer's")                     \
  I64(codes, 1000, 2, 16777216, "", "codes (V); the product of the tokenizer's levels")            \
  I64(registers, 3, 0, 1024, "tokens", "register tokens a frame (R)")                              \
  I64(width, 256, 1, 65536, "", "width of the residual stream (D)")                                \
  I64(heads, 4, 1, 1024, "", "attention heads (H); divides width")                                 \
  I64(kv_heads, 4, 1, 1024, "", "key/value heads (G); divides heads")                              \
  I64(hidden, 768, 1, 1048576, "", "SwiGLU hidden width (F)")                                      \
  I64(layers, 8, 1, 1024, "blocks",                                                                \
      "blocks; block i is a time block when (i+1) % time_every == 0")                              \
  I64(time_every, 4, 1, 1024, "blocks", "distance between time blocks")                            \
  I64(actions, 2, 1, 4096, "", "width of the shared action layout (A)")                            \
  LSTR(branches, "worlds robotics avatars", 64,                                                    \
       "names of the branches, in the order of their embedding")                                   \
  F64(z_loss, 1e-4, 0.0, 1.0, "", "weight of logsumexp^2 in the loss")                             \
  F64(full_mask, 0.1, 0.0, 1.0, "", "probability that a frame is masked whole in training")        \
  F64(corrupt, 0.1, 0.0, 1.0, "", "largest share of unmasked codes replaced by random codes")      \
  F64(action_drop, 0.05, 0.0, 1.0, "",                                                             \
      "probability that a frame's action is replaced by no_action")                                \
  I64(window, 192, 1, 1048576, "frames",                                                           \
      "frames a time block of a rollout sees besides frame 0; data.frames - 1 at most count")

#define CFG_DIST(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                      \
  I64(tp, 1, 1, 1024, "ranks", "tensor axis: heads, hidden width and vocabulary are split")        \
  I64(cp, 1, 1, 1024, "ranks", "context axis: frames or token positions are split")                \
  I64(dp, 0, 0, 1048576, "ranks", "data axis; 0 = all ranks / (tp * cp)")                          \
  I64(zero, 0, 0, 1, "",                                                                           \
      "1: replicas share out optimizer states, and with bf16 also the master weights")             \
  I64(bucket_bytes, 4194304, 1024, 4294967296, "B",                                                \
      "gradients are reduced in buckets of this size")                                             \
  BOOL(overlap, 1, "replicas communicate while they compute; 0 only to see what that saves")       \
  BOOL(share_devices, 0, "let several ranks of a machine take one GPU, to try things out")         \
  F64(timeout_s, 600.0, 1.0, 1e6, "s", "a collective that takes longer is a hang")                 \
  I64(check_replicas, 0, 0, 1000000000, "steps",                                                   \
      "replicas' weights are compared to the bit every so many steps; 0 = never")

#define CFG_CKPT(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                      \
  I64(every, 500, 0, 1000000000, "steps", "steps between checkpoints; 0 = only the last step")     \
  I64(keep, 3, 1, 1000000, "checkpoints", "newest checkpoints that stay")                          \
  I64(keep_every, 0, 0, 1000000000, "steps",                                                       \
      "checkpoints at multiples of this stay for ever; 0 = none")                                  \
  I64(file_bytes, 4294967296, 65536, 1099511627776, "B", "model files are cut at about this size") \
  BOOL(async, 1, "write in the background; the step waits only for the copy")

#define CFG_EVAL(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                      \
  I64(clips, 64, 2, 1000000, "clips", "held-out clips that are rolled out")                        \
  I64(prompt, 4, 1, 65536, "frames", "frames given before a rollout starts")                       \
  I64(horizon, 12, 4, 65536, "frames", "frames rolled out")                                        \
  I64(steps, 4, 1, 1024, "passes", "decoding passes a frame (K)")                                  \
  F64(temperature, 1.0, 0.0, 100.0, "", "of the drawn codes; 0 takes the likeliest")               \
  F64(choice_temperature, 2.0, 0.0, 100.0, "",                                                     \
      "Gumbel noise on the confidence that orders positions")                                      \
  I64(seed, 7, 0, 4294967295, "", "key of the random numbers of an evaluation")

#define CFG_GUARD(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                     \
  F64(z, 8.0, 0.0, 1e6, "sigma",                                                                   \
      "a loss or gradient norm this far above its mean is a spike; 0 = only NaN and infinity are") \
  I64(window, 128, 2, 65536, "steps", "accepted steps that a spike is measured against")           \
  I64(rewind_after, 10, 0, 1000000, "steps",                                                       \
      "skipped steps in a row that send a run back to its last checkpoint; 0 = never")             \
  I64(rewinds, 3, 0, 1000000, "", "times that a process goes back before it gives up")             \
  I64(record_every, 20, 0, 1000000000, "steps",                                                    \
      "steps between fingerprints in record.jsonl, for `orrery train --replay`; 0 = none")         \
  I64(record_bytes, 67108864, 4096, 1099511627776, "B",                                            \
      "of record.jsonl before it becomes record.1.jsonl, in place of the one before")

#define CFG_METRICS(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                   \
  BOOL(profile, 1, "where the time of each step goes, by phase and axis")                          \
  BOOL(tensorboard, 1, "write event files into the run's folder tensorboard/")                     \
  STR(pushgateway, "", "a Prometheus Pushgateway's address, or @FILE that holds it; empty = none") \
  F64(push_every_s, 15.0, 0.1, 86400.0, "s", "shortest time between two pushes")                   \
  STR(job, "orrery", "label job of what is pushed")                                                \
  STR(webhook, "", "address told of changes of state, or @FILE that holds it; empty = none")       \
  I64(ranks_every, 10, 0, 1000000, "steps",                                                        \
      "steps between comparisons of the ranks' times; 0 = never")

// X(section name, rows)
// clang-format off
#define CFG_SECTIONS(X)                                                                            \
  X(run, CFG_RUN) X(train, CFG_TRAIN) X(optim, CFG_OPTIM) X(data, CFG_DATA)                        \
  X(tokenizer, CFG_TOKENIZER) X(model, CFG_MODEL) X(dist, CFG_DIST) X(ckpt, CFG_CKPT)              \
  X(guard, CFG_GUARD) X(metrics, CFG_METRICS) X(eval, CFG_EVAL)
// clang-format on

#endif
