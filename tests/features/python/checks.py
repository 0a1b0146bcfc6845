"""What the checks of the official clients have in common: what the upstreams say, and how checks are counted."""

THOUGHT = "The user wants to be greeted."
SAID = "Xin chào! Tôi có thể giúp gì?"
REFUSED = "I cannot help with that."
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
HANOI = ("get_weather", {"city": "Hà Nội"})
HUE = ("get_weather", {"city": "Huế"})
UPSTREAMS = ["chat", "responses", "claude", "llama"]
checks, failures = 0, []


def check(name):
    """Runs the decorated function at once, and notes its failure."""

    def run(body):
        global checks
        checks += 1
        try:
            body()
        except Exception as error:
            failures.append(f"{name}: {type(error).__name__}: {error}")

    return run


def report():
    print("\n".join(failures))
    print(f"{checks - len(failures)} of {checks} passed")
    if not failures:
        print("all good")
