"""`ashlar fetch` and models named org/name, against a server here that speaks as the hub does."""

import hashlib
import http.server
import json
import os
import pathlib
import threading

from program import ROOT, Case, ashlar

MODEL = ROOT / "tests/golden/models/llama_31_scaling/model"
COMMIT = "c0ffee" + "0" * 34


class Hub(http.server.BaseHTTPRequestHandler):
    """One repository. `cut` answers break off half way, `deny` wants a token, `ranges` off ignores them."""
    files, cut, deny, ranges, wrong = {}, 0, None, True, None
    asked, bytes_sent = [], 0

    def log_message(self, *args):
        pass

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        hub = type(self)
        if hub.cut > 0 and "resolve" in self.path and len(body) > 1000:
            hub.cut -= 1
            body = body[:len(body) // 2]
        hub.bytes_sent += len(body)
        self.wfile.write(body)
        self.close_connection = True

    def do_GET(self):
        hub = type(self)
        hub.asked.append(self.path)
        if hub.deny and self.headers.get("Authorization") != f"Bearer {hub.deny}":
            return self.answer(401, b"Access to model org/name is restricted")
        if self.path.startswith("/api/models/org/name/revision/"):
            siblings = []
            for name, data in hub.files.items():
                item = {"rfilename": name, "size": len(data),
                        "blobId": hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()}
                if name.endswith((".safetensors", ".gguf", ".bin")):
                    item["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
                siblings.append(item)
            return self.answer(200, json.dumps({"sha": COMMIT, "siblings": siblings}).encode())
        prefix = f"/org/name/resolve/{COMMIT}/"
        name = self.path[len(prefix):]
        if not self.path.startswith(prefix) or name not in hub.files:
            return self.answer(404, b"Entry not found")
        data = hub.files[name]
        if name == hub.wrong:
            data = data[:-1] + bytes([data[-1] ^ 1])
        wanted = self.headers.get("Range")
        if wanted and hub.ranges:
            begin = int(wanted.split("=")[1].split("-")[0])
            return self.answer(206, data[begin:], [("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")])
        return self.answer(200, data)


class Fetching(Case):
    def setUp(self):
        super().setUp()
        Hub.files = {f.name: f.read_bytes() for f in MODEL.iterdir()}
        Hub.files |= {"README.md": b"# A model", "pytorch_model.bin": b"\0" * 5000, "consolidated.safetensors": b"\0" * 3000,
                      "original/params.json": b"{}", "tokenizer_config.json": b"{}"}
        Hub.cut, Hub.deny, Hub.ranges, Hub.wrong, Hub.asked, Hub.bytes_sent = 0, None, True, None, [], 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.env = {"HF_ENDPOINT": f"http://127.0.0.1:{self.server.server_port}", "HF_HOME": str(self.tmp / "hf"),
                    "HF_TOKEN": "", "HF_HUB_CACHE": "", "HF_HUB_OFFLINE": "", "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
        self.repo = self.tmp / "hf/hub/models--org--name"

    def test_the_cache_is_the_usual_one(self):
        out = ashlar("fetch", "org/name", env=self.env).stdout.strip()
        snapshot = self.repo / "snapshots" / COMMIT
        self.assertEqual(out, str(snapshot))
        self.assertEqual((self.repo / "refs/main").read_text(), COMMIT)
        self.assertEqual({f.name for f in snapshot.iterdir()}, {"config.json", "model.safetensors", "tokenizer_config.json"})
        for link in snapshot.iterdir():
            self.assertTrue(link.is_symlink())
            self.assertFalse(os.path.isabs(os.readlink(link)))
            self.assertEqual(link.read_bytes(), Hub.files[link.name])
        weights = Hub.files["model.safetensors"]
        self.assertTrue((self.repo / "blobs" / hashlib.sha256(weights).hexdigest()).exists())
        Hub.asked.clear()
        ashlar("fetch", "org/name", env=self.env)
        self.assertEqual(len(Hub.asked), 1, "only the listing")

    def test_a_name_is_a_model(self):
        for args in (["logits", "org/name", "--ids", "1,2", "--output", self.tmp / "l.npy"], ["count", "org/name"]):
            ashlar(*args, env=self.env)
        Hub.asked.clear()
        ashlar("count", "org/name", env={**self.env, "HF_HUB_OFFLINE": "1"})
        self.assertEqual(Hub.asked, [])

    def test_what_needs_no_weights_fetches_none(self):
        ashlar("count", "org/name", env=self.env)
        self.assertFalse(any(p.endswith(".safetensors") for p in Hub.asked))
        ashlar("logits", "org/name", "--ids", "1,2", "--output", self.tmp / "l.npy", env=self.env)
        self.assertTrue(any(p.endswith("/model.safetensors") for p in Hub.asked))

    def test_broken_transfers_go_on(self):
        Hub.cut = 2
        ashlar("fetch", "org/name", env=self.env)
        size = sum(len(Hub.files[n]) for n in ("config.json", "model.safetensors", "tokenizer_config.json"))
        self.assertLess(Hub.bytes_sent, 1.2 * size + 5000)

    def test_a_part_that_is_there_is_not_fetched_again(self):
        weights = Hub.files["model.safetensors"]
        part = self.repo / "blobs" / (hashlib.sha256(weights).hexdigest() + ".incomplete")
        part.parent.mkdir(parents=True)
        part.write_bytes(weights[:60_000])
        ashlar("fetch", "org/name", "model.safetensors", env=self.env)
        self.assertLess(Hub.bytes_sent, len(weights) - 60_000 + 5000)
        self.assertEqual((self.repo / "snapshots" / COMMIT / "model.safetensors").read_bytes(), weights)

    def test_a_server_without_ranges(self):
        Hub.ranges = False
        weights = Hub.files["model.safetensors"]
        part = self.repo / "blobs" / (hashlib.sha256(weights).hexdigest() + ".incomplete")
        part.parent.mkdir(parents=True)
        part.write_bytes(b"?" * 60_000)
        ashlar("fetch", "org/name", "model.safetensors", env=self.env)
        self.assertEqual((self.repo / "snapshots" / COMMIT / "model.safetensors").read_bytes(), weights)

    def test_what_is_not_what_the_hub_says_is_thrown_away(self):
        Hub.wrong = "model.safetensors"
        self.fails("fetch", "org/name", env=self.env, says="model.safetensors: its hash is .*, expected")
        self.assertFalse(any(self.repo.glob("snapshots/*/model.safetensors")))
        self.assertFalse(any(self.repo.glob("blobs/*.incomplete")))
        Hub.wrong = None
        ashlar("fetch", "org/name", env=self.env)

    def test_tokens(self):
        Hub.deny = "hf_secret"
        self.fails("fetch", "org/name", env=self.env, says="HTTP 401.*HF_TOKEN")
        ashlar("fetch", "org/name", env={**self.env, "HF_TOKEN": "hf_secret"})
        (self.tmp / "hf/token").write_text("hf_secret\n")
        ashlar("fetch", "org/name", env=self.env)

    def test_what_cannot_be_had(self):
        self.fails("fetch", "org/nothing", env=self.env, says="org/nothing: not found at .*404")
        self.fails("run", "org/nothing", "a", env=self.env, says="404")
        self.fails("fetch", "org/name", "no.gguf", env=self.env, says="has no file no.gguf")
        for name in ("org", "../x", "org/name/more"):
            self.fails("fetch", name, env=self.env, says="expected a name of the hub")
        self.fails("fetch", "org/name", "--revision", "../x", env=self.env, says="revision")
        self.fails("fetch", "org/name", env={**self.env, "HF_HUB_OFFLINE": "1"}, says="HF_HUB_OFFLINE is set")
        gone = {**self.env, "HF_ENDPOINT": "http://127.0.0.1:9"}
        self.fails("fetch", "org/name", env=gone, says="cannot be reached.*HF_ENDPOINT")

    def test_repositories_of_gguf_files(self):
        Hub.files = {"a-q4.gguf": b"GGUF" + b"\0" * 50, "a-q8.gguf": b"GGUF" + b"\0" * 60, "README.md": b""}
        self.fails("fetch", "org/name", env=self.env, says="several GGUF files.*a-q4.gguf, a-q8.gguf")
        ashlar("fetch", "org/name", "a-q4.gguf", env=self.env)
        self.assertEqual([f.name for f in (self.repo / "snapshots" / COMMIT).iterdir()], ["a-q4.gguf"])

    def test_names_that_would_leave_the_folder(self):
        for name in ("../../x", "/etc/x", "a/../../x"):
            Hub.files = {"config.json": b"{}", name: b"x"}
            self.fails("fetch", "org/name", env=self.env, says="no name or hash")
