"""A server with the answers of Ollama's native API, for machines without Ollama. It prints its port."""
import http.server
import json


class Ollama(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/api/embed":
            texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
            self.answer([{"model": request["model"], "embeddings": [[0.1, 0.2, 0.3] for _ in texts],
                          "prompt_eval_count": 4}])
            return
        part = {"model": request["model"], "created_at": "2026-11-28T00:00:00Z"}
        end = {**part, "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop",
               "prompt_eval_count": 11, "eval_count": 3}
        if request.get("stream", True):
            words = [{**part, "message": {"role": "assistant", "content": word}, "done": False} for word in ("Xin ", "chào!")]
            self.answer([*words, end])
        else:
            self.answer([{**end, "message": {"role": "assistant", "content": "Xin chào!"}}])

    def answer(self, lines):
        body = "".join(json.dumps(line) + "\n" for line in lines).encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-ndjson" if len(lines) > 1 else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ollama)
print(server.server_port)
server.serve_forever()
