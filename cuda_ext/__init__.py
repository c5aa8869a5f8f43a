"""Native sources of nerf-talker (include/, cpu/, cuda/); imported as ``nerf_talker.cuda_ext``."""
