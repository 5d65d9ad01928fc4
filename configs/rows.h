// Every knob of Orrery, one row each: the struct, the parser, range checks, `orrery config
// print|check|doc` and the manifest's hash all expand these rows. A new knob is a new row here.
//
//   I64 (name, what, default, lowest, highest, unit, sentence)
//   F64 (name, what, default, lowest, highest, unit, sentence)
//   BOOL(name, what, default, sentence)
//   STR (name, what, default, sentence)
//   ENUM(name, what, choices, "default", sentence)   value: index of the choice (CFG_* constants)
//   LI64(name, what, default "1 2 3", lowest, highest, most entries, unit, sentence)
//   LF64(name, what, default, lowest, highest, most entries, unit, sentence)
//   LSTR(name, what, default "a b", most entries, sentence)
//
// `what` is WEIGHTS for a row that decides which weights come out, and OPERATION for one that does
// not (where results go, who computes, how data comes by): two runs whose WEIGHTS rows are equal
// see the same samples, random numbers, model, loss and learning rates, and their weights are equal
// up to the order of sums. Only those rows make up the hash of a configuration
// (configs/identity.c).
#ifndef CONFIGS_ROWS_H
#define CONFIGS_ROWS_H

// The choices of ENUM rows, in order: X(KNOB, CONSTANT, word). The constants CFG_KNOB_CONSTANT and
// the words both come from here, so grep finds CFG_DEVICE_CUDA as "DEVICE, CUDA".
#define CFG_CHOICES_DEVICE(X) X(DEVICE, AUTO, auto) X(DEVICE, CPU, cpu) X(DEVICE, CUDA, cuda)
#define CFG_CHOICES_PRECISION(X)                                                                   \
  X(PRECISION, AUTO, auto) X(PRECISION, BF16, bf16) X(PRECISION, FP32, fp32)
#define CFG_CHOICES_ISA(X)                                                                         \
  X(ISA, AUTO, auto)                                                                               \
  X(ISA, AVX2, avx2) X(ISA, AVX512, avx512) X(ISA, AVX512_BF16, avx512_bf16) X(ISA, AMX, amx)
#define CFG_CHOICES_ATTENTION(X)                                                                   \
  X(ATTENTION, AUTO, auto) X(ATTENTION, OWN, own) X(ATTENTION, CUDNN, cudnn)
#define CFG_CHOICES_RECOMPUTE(X)                                                                   \
  X(RECOMPUTE, NONE, none) X(RECOMPUTE, CHEAP, cheap) X(RECOMPUTE, ALL, all)
#define CFG_CHOICES_STAGE(X)     X(STAGE, DYNAMICS, dynamics) X(STAGE, TOKENIZER, tokenizer)
#define CFG_CHOICES_OPTIMIZER(X) X(OPTIMIZER, ADAMW, adamw) X(OPTIMIZER, MUON, muon)
#define CFG_CHOICES_MEMORY_BY(X) X(MEMORY_BY, LIKENESS, likeness) X(MEMORY_BY, POSE, pose)
#define CFG_CHOICES_SCHEDULE(X)                                                                    \
  X(SCHEDULE, WSD, wsd) X(SCHEDULE, COSINE, cosine) X(SCHEDULE, CONSTANT, constant)

#define CFG_RUN(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                       \
  STR(dir, OPERATION, "runs/default",                                                              \
      "folder of the run: config.yaml, metrics.jsonl, ckpt/, report.html")                         \
  I64(seed, WEIGHTS, 1, 0, 4294967295, "", "key of every random number of the run")                \
  ENUM(device, OPERATION, CFG_CHOICES_DEVICE, "auto",                                              \
       "where tensors live; auto takes CUDA when it works")                                        \
  ENUM(precision, WEIGHTS, CFG_CHOICES_PRECISION, "auto",                                          \
       "type of matmul inputs and activations; auto is bf16 on GPUs and CPUs with bfloat16 "       \
       "units, else fp32")                                                                         \
  ENUM(isa, OPERATION, CFG_CHOICES_ISA, "auto",                                                    \
       "instruction set of arithmetic on the CPU: the best that it has, or a lower one")           \
  I64(threads, OPERATION, 0, 0, 4096, "threads",                                                   \
      "CPU threads of each rank; 0 takes its share of the cores and CPU quota that it may use")    \
  ENUM(attention, OPERATION, CFG_CHOICES_ATTENTION, "auto",                                        \
       "on a GPU, bf16: auto: cuDNN over frames, own kernels over time; own: own for all; "        \
       "cudnn: cuDNN also over 128 frames and more")                                               \
  BOOL(capture, OPERATION, 1, "on a GPU, keep a step's work as a CUDA graph and replay it")        \
  BOOL(tune, OPERATION, 1,                                                                         \
       "on a GPU, time algorithms that give the same bits at the start, keep the fastest")         \
  BOOL(exact, WEIGHTS, 0, "weights that are the same to the bit for every layout of ranks")

#define CFG_TRAIN(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                     \
  ENUM(stage, WEIGHTS, CFG_CHOICES_STAGE, "dynamics", "which of the two models is trained")        \
  I64(steps, WEIGHTS, 1000, 1, 1000000000, "steps", "optimizer steps of the whole run")            \
  I64(batch, WEIGHTS, 8, 1, 1048576, "clips", "clips in one optimizer step, over all ranks")       \
  I64(micro_batch, OPERATION, 0, 0, 1048576, "clips",                                              \
      "clips a rank runs at once; 0 = all of its share")                                           \
  I64(group, WEIGHTS, 1, 1, 1048576, "clips",                                                      \
      "with run.exact: clips that a rank runs at once and whose gradients are one leaf of the "    \
      "tree of sums; divides batch / dp and micro_batch")                                          \
  ENUM(recompute, OPERATION, CFG_CHOICES_RECOMPUTE, "none",                                        \
       "what the backward pass computes again instead of finding it kept; cheap: norms and "       \
       "SwiGLU; all: each block's forward pass (once: false and true)")                            \
  F64(max_wall_s, OPERATION, 0.0, 0.0, 1e9, "s",                                                   \
      "stop with a checkpoint and exit code 85 after this; 0 = never")                             \
  STR(init_from, WEIGHTS, "", "checkpoint to take the weights from (fine-tuning); empty = random") \
  I64(lora_rank, WEIGHTS, 0, 0, 65536, "",                                                         \
      "train adapters of this rank for the blocks' matrices, not these (LoRA); 0 = all weights")   \
  F64(lora_alpha, WEIGHTS, 0.0, 0.0, 1e6, "",                                                      \
      "an adapter counts alpha / rank times; 0 = as much as lora_rank")                            \
  LSTR(lora_targets, WEIGHTS, "q k v o gate up down", 16, "which matrices have adapters")          \
  LSTR(lora_whole, WEIGHTS, "action branch view heads", 4,                                         \
       "what beside adapters is trained, whole: embeddings, heads on registers")                   \
  STR(trace_steps, OPERATION, "",                                                                  \
      "steps A-B whose times on all ranks are written to trace/; empty = none")

#define CFG_OPTIM(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                     \
  ENUM(optimizer, WEIGHTS, CFG_CHOICES_OPTIMIZER, "adamw",                                         \
       "of the blocks' matrices; norms, biases, embeddings and heads are AdamW's in any case")     \
  F64(lr_peak, WEIGHTS, 3e-4, 0.0, 1.0, "", "learning rate at the end of warm-up")                 \
  F64(lr_final, WEIGHTS, 0.1, 0.0, 1.0, "",                                                        \
      "learning rate at the last step, as a share of lr_peak")                                     \
  ENUM(schedule, WEIGHTS, CFG_CHOICES_SCHEDULE, "wsd",                                             \
       "shape after warm-up: stable then decay, half cosine, flat")                                \
  I64(warmup_steps, WEIGHTS, 100, 0, 1000000000, "steps", "linear warm-up from zero")              \
  I64(decay_steps, WEIGHTS, 200, 0, 1000000000, "steps", "length of the final decay of wsd")       \
  F64(beta1, WEIGHTS, 0.9, 0.0, 0.99999, "", "AdamW's first moment")                               \
  F64(beta2, WEIGHTS, 0.95, 0.0, 0.99999, "", "AdamW's second moment")                             \
  F64(eps, WEIGHTS, 1e-8, 1e-16, 1.0, "", "AdamW's epsilon")                                       \
  F64(muon_momentum, WEIGHTS, 0.95, 0.0, 0.99999, "", "Muon's momentum, in Nesterov's form")       \
  I64(muon_steps, WEIGHTS, 5, 1, 100, "", "Newton-Schulz iterations of an update of Muon")         \
  F64(muon_rms, WEIGHTS, 0.2, 0.0, 100.0, "",                                                      \
      "root mean square of Muon's updates before the learning rate; about AdamW's at 0.2")         \
  F64(weight_decay, WEIGHTS, 0.05, 0.0, 10.0, "",                                                  \
      "decoupled decay of matrices; norms, biases and vectors have none")                          \
  F64(digit_share, WEIGHTS, 0.0, 0.0, 100.0, "",                                                   \
      "share of lr at which tables of codes also move by their digits; needs model.digits")        \
  F64(clip_norm, WEIGHTS, 1.0, 0.0, 1e9, "", "largest global gradient norm; 0 = no clipping")      \
  F64(ema_decay, WEIGHTS, 0.999, 0.0, 0.9999999, "", "moving average of the weights; 0 = none")

#define CFG_DATA(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                      \
  LSTR(train, WEIGHTS, "", 64,                                                                     \
       "data sets to train on: folders, or http://, https://, s3:// addresses")                    \
  LF64(weights, WEIGHTS, "", 0.0, 1e9, 64, "",                                                     \
       "share of each data set in the mixture; empty = by clips")                                  \
  LSTR(branch, WEIGHTS, "", 64,                                                                    \
       "branch of each data set, a name of model.branches; empty = the shard's own")               \
  BOOL(any_tokenizer, OPERATION, 0,                                                                \
       "take tokens that another tokenizer made than tokenizer.checkpoint")                        \
  I64(frames, WEIGHTS, 16, 1, 65536, "frames", "frames in a clip (T)")                             \
  I64(frames_start, WEIGHTS, 0, 0, 65536, "frames",                                                \
      "clips begin this short, cut from those of `frames`, and double up to it; 0 = no "           \
      "curriculum")                                                                                \
  I64(curriculum_steps, WEIGHTS, 0, 0, 1000000000, "steps",                                        \
      "steps until clips have their full length")                                                  \
  I64(stride, WEIGHTS, 1, 1, 1024, "frames", "source frames from one frame of a clip to the next") \
  I64(prefetch, OPERATION, 0, 0, 1024, "batches",                                                  \
      "batches read ahead; 0 = as many as prefetch_bytes holds")                                   \
  I64(prefetch_bytes, OPERATION, 67108864, 0, 1099511627776, "B",                                  \
      "memory of a rank for batches read ahead: 2 to 64 of them")                                  \
  I64(unpack_threads, OPERATION, 2, 0, 256, "threads",                                             \
      "threads of a rank that unpack gzip and lzf; 0 = the reader does it")                        \
  I64(chunk_cache_bytes, OPERATION, 67108864, 1, 1099511627776, "B",                               \
      "memory of a rank for unpacked chunks of gzip and lzf shards")                               \
  STR(cache_dir, OPERATION, "",                                                                    \
      "where remote sets are kept, for all of the node; empty = ~/.cache/orrery")                  \
  I64(cache_bytes, OPERATION, 107374182400, 0, 1152921504606846976, "B",                           \
      "kept there at most; shards that are being read may exceed it")                              \
  I64(downloads, OPERATION, 4, 1, 256, "files", "downloads at a time, over all ranks of the node") \
  F64(timeout_s, OPERATION, 300.0, 0.1, 1e6, "s",                                                  \
      "a remote file without progress for this long is an error")                                  \
  STR(endpoint, OPERATION, "",                                                                     \
      "http(s)://host[:port] of s3:// sets; empty = AWS_ENDPOINT_URL, or Amazon's")                \
  STR(region, OPERATION, "", "of s3:// sets; empty = AWS_REGION, the profile's, or us-east-1")     \
  STR(ca_file, OPERATION, "", "certificates of trusted authorities (PEM); empty = the system's")

#define CFG_TOKENIZER(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                 \
  STR(checkpoint, WEIGHTS, "",                                                                     \
      "trained tokenizer: a run's folder or its ckpt/ (the latest), or a step-*")                  \
  I64(patch, WEIGHTS, 8, 1, 256, "pixels", "side of a patch (p)")                                  \
  I64(rows, WEIGHTS, 8, 1, 1024, "tokens",                                                         \
      "patches from top to bottom: frame height = rows * patch")                                   \
  I64(cols, WEIGHTS, 8, 1, 1024, "tokens",                                                         \
      "patches from left to right: frame width = cols * patch")                                    \
  LI64(levels, WEIGHTS, "8 5 5 5", 2, 65536, 16, "",                                               \
       "FSQ levels; their product is the number of codes")                                         \
  I64(width, WEIGHTS, 128, 1, 65536, "", "width of the residual stream (D)")                       \
  I64(heads, WEIGHTS, 4, 1, 1024, "", "attention heads (H); divides width")                        \
  I64(kv_heads, WEIGHTS, 4, 1, 1024, "", "key/value heads (G); divides heads")                     \
  I64(hidden, WEIGHTS, 384, 1, 1048576, "", "SwiGLU hidden width (F)")                             \
  I64(layers, WEIGHTS, 2, 1, 1024, "blocks", "blocks in the encoder, and as many in the decoder")  \
  BOOL(patchwise, WEIGHTS, 0,                                                                      \
       "a patch's code is told by its own pixels alone; else the encoder sees the whole frame")    \
  F64(l2, WEIGHTS, 1.0, 0.0, 1e9, "", "weight of the mean squared pixel error")                    \
  F64(l1, WEIGHTS, 0.2, 0.0, 1e9, "", "weight of the mean absolute pixel error")

#define CFG_MODEL(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                     \
  I64(rows, WEIGHTS, 8, 1, 1024, "tokens", "token rows of a frame; the tokenizer's")               \
  I64(cols, WEIGHTS, 8, 1, 1024, "tokens", "token columns of a frame; the tokenizer's")            \
  I64(codes, WEIGHTS, 1000, 2, 16777216, "", "codes (V); the product of the tokenizer's levels")   \
  I64(registers, WEIGHTS, 3, 0, 1024, "tokens", "register tokens a frame (R)")                     \
  I64(width, WEIGHTS, 256, 1, 65536, "", "width of the residual stream (D)")                       \
  I64(heads, WEIGHTS, 4, 1, 1024, "", "attention heads (H); divides width")                        \
  I64(kv_heads, WEIGHTS, 4, 1, 1024, "", "key/value heads (G); divides heads")                     \
  I64(hidden, WEIGHTS, 768, 1, 1048576, "", "SwiGLU hidden width (F)")                             \
  I64(layers, WEIGHTS, 8, 1, 1024, "blocks",                                                       \
      "blocks; block i is a time block when (i+1) % time_every == 0")                              \
  I64(time_every, WEIGHTS, 4, 1, 1024, "blocks", "distance between time blocks")                   \
  I64(actions, WEIGHTS, 2, 1, 4096, "", "width of the shared action layout (A)")                   \
  LSTR(views, WEIGHTS, "", 16,                                                                     \
       "cameras in a frame, each \"NAME X Y WIDTH HEIGHT\" in tokens; empty = one picture")        \
  BOOL(digits, WEIGHTS, 0,                                                                         \
       "tables of codes start as sums over the digits of FSQ (tokenizer.levels), all alike")       \
  BOOL(before, WEIGHTS, 0, "a position also carries the code that stood there one frame earlier")  \
  LSTR(branches, WEIGHTS, "worlds robotics avatars", 64,                                           \
       "names of the branches, in the order of their embedding")                                   \
  F64(z_loss, WEIGHTS, 1e-4, 0.0, 1.0, "", "weight of logsumexp^2 in the loss")                    \
  F64(full_mask, WEIGHTS, 0.1, 0.0, 1.0, "",                                                       \
      "probability that a frame is masked whole in training")                                      \
  F64(corrupt, WEIGHTS, 0.1, 0.0, 1.0, "",                                                         \
      "largest share of unmasked codes replaced by random codes")                                  \
  F64(blind, WEIGHTS, 0.0, 0.0, 1.0, "",                                                           \
      "share of clips with a stretch of frames, up to half, that is hidden whole: the frames in "  \
      "it "                                                                                        \
      "and after it have to be told from what was before")                                         \
  F64(own_codes, WEIGHTS, 0.0, 0.0, 1.0, "",                                                       \
      "share of frames that are context with codes that the model draws itself; a pass more")      \
  F64(change_weight, WEIGHTS, 1.0, 1e-3, 1e3, "",                                                  \
      "weight of the loss at positions whose code is not that of the frame before")                \
  F64(reward_weight, WEIGHTS, 0.0, 0.0, 1e6, "",                                                   \
      "weight of the loss of a head on the registers that predicts rewards; 0 = no such head")     \
  F64(done_weight, WEIGHTS, 0.0, 0.0, 1e6, "", "the same for the end of an episode")               \
  F64(progress_weight, WEIGHTS, 0.0, 0.0, 1e6, "", "the same for the way to success, 0 to 1")      \
  F64(action_drop, WEIGHTS, 0.05, 0.0, 1.0, "",                                                    \
      "probability that a frame's action is replaced by no_action")                                \
  I64(window, WEIGHTS, 192, 1, 1048576, "frames",                                                  \
      "frames a time block of a rollout sees besides frame 0; data.frames - 1 at most count")

#define CFG_DIST(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                      \
  I64(tp, OPERATION, 1, 1, 1024, "ranks",                                                          \
      "tensor axis: heads, hidden width and vocabulary are split")                                 \
  I64(cp, OPERATION, 1, 1, 1024, "ranks", "context axis: frames or token positions are split")     \
  I64(dp, OPERATION, 0, 0, 1048576, "ranks", "data axis; 0 = all ranks / (tp * cp)")               \
  I64(zero, OPERATION, 0, 0, 3, "",                                                                \
      "replicas share out, 1: optimizer states, and with bf16 the master weights; 2: also the "    \
      "gradients; 3: also the weights")                                                            \
  I64(shard, OPERATION, 0, 0, 1048576, "replicas",                                                 \
      "share out inside groups of so many neighbours, each group with a copy of it all; 0 = all "  \
      "replicas are one group")                                                                    \
  I64(bucket_bytes, OPERATION, 4194304, 1024, 4294967296, "B",                                     \
      "gradients are reduced in buckets of this size")                                             \
  BOOL(overlap, OPERATION, 1,                                                                      \
       "replicas communicate while they compute; 0 only to see what that saves")                   \
  BOOL(nvls, OPERATION, 0,                                                                         \
       "NCCL may add inside the NVSwitch: faster within a node, but a run has other bits each "    \
       "time")                                                                                     \
  BOOL(share_devices, OPERATION, 0,                                                                \
       "let several ranks of a machine take one GPU, to try things out")                           \
  F64(timeout_s, OPERATION, 600.0, 1.0, 1e6, "s", "a collective that takes longer is a hang")      \
  I64(check_replicas, OPERATION, 0, 0, 1000000000, "steps",                                        \
      "replicas' weights are compared to the bit every so many steps; 0 = never")

#define CFG_CKPT(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                      \
  I64(every, OPERATION, 500, 0, 1000000000, "steps",                                               \
      "steps between checkpoints; 0 = only the last step")                                         \
  I64(keep, OPERATION, 3, 1, 1000000, "checkpoints", "newest checkpoints that stay")               \
  I64(keep_every, OPERATION, 0, 0, 1000000000, "steps",                                            \
      "checkpoints at multiples of this stay for ever; 0 = none")                                  \
  I64(file_bytes, OPERATION, 4294967296, 65536, 1099511627776, "B",                                \
      "model files are cut at about this size")                                                    \
  BOOL(async, OPERATION, 1, "write in the background; the step waits only for the copy")           \
  I64(copies_every, OPERATION, 0, 0, 1000000000, "steps",                                          \
      "steps between copies of the state in the memory of its node and of another; 0 = none")      \
  STR(copies_dir, OPERATION, "/dev/shm/orrery", "where each node keeps them, in memory")           \
  I64(copies_shift, OPERATION, 1, 1, 1048576, "ranks",                                             \
      "from a rank to the one that keeps its copy, too: the ranks of a node")

#define CFG_EVAL(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                      \
  LSTR(data, OPERATION, "", 8, "held-out data sets with frames, for figures while it trains")      \
  I64(every, OPERATION, 0, 0, 1000000000, "steps",                                                 \
      "steps between held-out figures in metrics.jsonl; 0 = none")                                 \
  I64(every_clips, OPERATION, 16, 2, 1000000, "clips",                                             \
      "held-out clips of those figures, of each data set; of a tokenizer: frames")                 \
  I64(exam_every, OPERATION, 0, 0, 1000000000, "steps",                                            \
      "steps between small exams of a dynamics model (docs/exam.md) in metrics.jsonl; 0 = none")   \
  I64(exam_pairs, OPERATION, 8, 2, 100000, "pairs",                                                \
      "possible and impossible endings a concept of those exams")                                  \
  I64(exam_passes, OPERATION, 8, 1, 1048576, "passes",                                             \
      "passes in which an exam sums up the likelihood of a frame; its positions: exact")           \
  I64(clips, OPERATION, 64, 2, 1000000, "clips", "held-out clips that are rolled out")             \
  I64(prompt, OPERATION, 4, 1, 65536, "frames", "frames given before a rollout starts")            \
  I64(horizon, OPERATION, 12, 4, 65536, "frames", "frames rolled out")                             \
  I64(steps, OPERATION, 4, 1, 1024, "passes", "decoding passes a frame (K)")                       \
  F64(temperature, OPERATION, 1.0, 0.0, 100.0, "", "of the drawn codes; 0 takes the likeliest")    \
  F64(choice_temperature, OPERATION, 2.0, 0.0, 100.0, "",                                          \
      "Gumbel noise on the confidence that orders positions")                                      \
  F64(guidance, OPERATION, 0.0, 0.0, 100.0, "",                                                    \
      "w: codes are drawn from (1 + w) logits - w logits without the action; 0 = one pass less")   \
  BOOL(carry, OPERATION, 0,                                                                        \
       "what the tokenizer misses of the last real frame is shown where codes stay")               \
  I64(memory, OPERATION, 0, 0, 1024, "frames",                                                     \
      "frames that a rollout keeps when they leave the window, those least alike")                 \
  ENUM(memory_by, OPERATION, CFG_CHOICES_MEMORY_BY, "likeness",                                    \
       "what is alike: codes, or poses, which actions `forward strafe turn look` add up to; by "   \
       "pose a frame sees those alone whose view overlaps its own")                                \
  I64(seed, OPERATION, 7, 0, 4294967295, "", "key of the random numbers of an evaluation")

#define CFG_GUARD(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                     \
  F64(z, WEIGHTS, 8.0, 0.0, 1e6, "sigma",                                                          \
      "a loss or gradient norm this far above its mean is a spike; 0 = only NaN and infinity are") \
  I64(window, WEIGHTS, 128, 2, 65536, "steps", "accepted steps that a spike is measured against")  \
  I64(rewind_after, WEIGHTS, 10, 0, 1000000, "steps",                                              \
      "skipped steps in a row that send a run back to its last checkpoint; 0 = never")             \
  I64(rewinds, WEIGHTS, 3, 0, 1000000, "", "times that a process goes back before it gives up")    \
  I64(record_every, OPERATION, 20, 0, 1000000000, "steps",                                         \
      "steps between fingerprints in record.jsonl, for `orrery train --replay`; 0 = none")         \
  I64(record_bytes, OPERATION, 67108864, 4096, 1099511627776, "B",                                 \
      "of record.jsonl before it becomes record.1.jsonl, in place of the one before")

#define CFG_METRICS(I64, F64, BOOL, STR, ENUM, LI64, LF64, LSTR)                                   \
  BOOL(profile, OPERATION, 1, "where the time of each step goes, by phase and axis")               \
  BOOL(tensorboard, OPERATION, 1, "write event files into the run's folder tensorboard/")          \
  STR(pushgateway, OPERATION, "",                                                                  \
      "a Prometheus Pushgateway's address, or @FILE that holds it; empty = none")                  \
  F64(push_every_s, OPERATION, 15.0, 0.1, 86400.0, "s", "shortest time between two pushes")        \
  STR(job, OPERATION, "orrery", "label job of what is pushed")                                     \
  STR(webhook, OPERATION, "",                                                                      \
      "address told of changes of state, or @FILE that holds it; empty = none")                    \
  I64(ranks_every, OPERATION, 10, 0, 1000000, "steps",                                             \
      "steps between comparisons of the ranks' times; 0 = never")

// X(section name, rows)
// clang-format off
#define CFG_SECTIONS(X)                                                                            \
  X(run, CFG_RUN) X(train, CFG_TRAIN) X(optim, CFG_OPTIM) X(data, CFG_DATA)                        \
  X(tokenizer, CFG_TOKENIZER) X(model, CFG_MODEL) X(dist, CFG_DIST) X(ckpt, CFG_CKPT)              \
  X(guard, CFG_GUARD) X(metrics, CFG_METRICS) X(eval, CFG_EVAL)
// clang-format on

#endif
