"""Receives webhooks, and checks each with the package of Standard Webhooks.

Usage: receiver.py PORT FOLDER. The folder has the files `secret` and `mode`. Each delivery is a line of the file
`deliveries`: the type, the id, and whether the signature is right. `mode` says how to answer: a status, `redirect`,
`slow`, or `wait` until the mode is another one.
"""

import json
import pathlib
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

port, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            Webhook((folder / "secret").read_text().strip()).verify(body.decode(), dict(self.headers))
            verified = True
        except WebhookVerificationError:
            verified = False
        event, mode = json.loads(body), (folder / "mode").read_text().strip()
        line = {
            "type": event["type"], "id": event["id"], "verified": verified, "mode": mode, "path": self.path,
            "webhook_id": self.headers["webhook-id"], "content_type": self.headers["content-type"], "event": event,
            "signatures": len(self.headers["webhook-signature"].split(" ")),
        }
        with open(folder / "deliveries", "a") as deliveries:
            deliveries.write(json.dumps(line) + "\n")
        if mode == "slow":
            time.sleep(60)
        while mode == "wait":
            time.sleep(0.02)
            mode = (folder / "mode").read_text().strip() or "wait"
        if mode == "redirect":
            self.send_response(307)
            self.send_header("location", "/elsewhere")
        else:
            self.send_response(int(mode))
        self.end_headers()

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", port), Receiver).serve_forever()
