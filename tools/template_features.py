# Small templates that try one thing each, and random ones made of their parts.
MESSAGES = [{"role": "user", "content": "hi"}]
TOOLS = None
VARIABLES = {}
TEMPLATES = ["{{ 1 }}"]
