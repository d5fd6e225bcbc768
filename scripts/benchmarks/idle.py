"""An addon that does nothing: what mitmproxy takes for having one more."""


class Idle:
    """No hooks at all."""


addons = [Idle()]
