"""What people see: reports, the live display, the heat map."""
