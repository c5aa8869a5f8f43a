"""From a talker and its driving to pictures: occupancy, sampling, rendering, composition."""
