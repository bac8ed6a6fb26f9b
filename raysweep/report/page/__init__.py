"""The report as one HTML page, complete in itself: it makes no request, and works from a file or in a mail.

`page` assembles it; `markup` escapes every text that becomes part of it; each section has a module. No file
but the package's own is read here, and none is written.
"""
