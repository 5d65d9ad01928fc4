# Bytes that must survive a crash.
orr_library(checkpoints LINKS orr_base LIBRARIES Threads::Threads)
