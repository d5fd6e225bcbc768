"""What the tests stand on: an upstream whose every byte is scripted, and real proxies in processes of their own."""
