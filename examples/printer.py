#!/usr/bin/env python3
"""A printer in Python, with paho-mqtt (Debian: python3-paho-mqtt).

    python3 examples/printer.py 127.0.0.1 1883 office-7 PASSWORD

It connects, reports its structure, and ends when the verdict arrives.
"""
import datetime
import json
import sys
import uuid

import paho.mqtt.client as mqtt

if len(sys.argv) != 5:
    sys.exit("usage: python3 examples/printer.py HOST PORT PRINTER PASSWORD")
host, port, printer, password = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
session = str(uuid.uuid4())


def topic(name):
    return f"platen/v1/printers/{printer}/{name}"


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def presence(state):
    return json.dumps({"state": state, "session": session, "at": now()})


def on_connect(client, userdata, flags, code):
    if code != 0:
        sys.exit(mqtt.connack_string(code))
    client.subscribe(topic("verdict"), qos=1)
    client.publish(topic("presence"), presence("online"), qos=1, retain=True)
    structure = {
        "session": session,
        "revision": 1,
        "at": now(),
        "reason": "connect",
        "apparatus": {
            "model": "C360",
            "software": [{"id": "acme.controller", "vendor": "acme", "version": "3.1.0"}],
        },
        "units": [
            {
                "symbol": "engine",
                "kind": "engine",
                "model": "EN-36",
                "hardware": "1.1",
                "software": [{"id": "acme.engine", "vendor": "acme", "version": "2.4.0"}],
            }
        ],
    }
    client.publish(topic("structure"), json.dumps(structure), qos=1, retain=True)


def on_message(client, userdata, message):
    if not message.payload:
        return
    verdict = json.loads(message.payload)
    # A verdict of an earlier session may still be retained.
    if verdict["structure"]["session"] != session:
        return
    print(verdict["status"], json.dumps(verdict.get("findings", [])), flush=True)
    client.publish(topic("presence"), presence("offline"), qos=1, retain=True)
    client.disconnect()


# paho 2 asks for the version of the callbacks, paho 1 does not know it.
version = getattr(mqtt, "CallbackAPIVersion", None)
client = mqtt.Client(version.VERSION1, printer) if version else mqtt.Client(printer)
client.username_pw_set(printer, password)
client.will_set(topic("presence"), presence("offline"), qos=1, retain=True)
client.on_connect = on_connect
client.on_message = on_message
client.connect(host, port)
client.loop_forever()
