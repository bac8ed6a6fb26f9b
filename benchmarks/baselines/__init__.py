"""What raysweep is compared with: the code that one would write instead."""
