"""The engine of aicache; it never imports mitmproxy and would work behind any proxy."""
