"""The command process of `raysweep run`: what is missing, what is committed, what a person sees; no Ray."""
