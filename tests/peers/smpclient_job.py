"""Drives a board through the whole job with the published smpclient, unchanged.

Prints one JSON object: what each step answered. Exits 1, naming the step on stderr, when one fails.
The Rust test that runs this judges the answers.
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

from smp.header import Version
from smpclient import SMPClient
from smpclient.generics import error, success
from smpclient.mcuboot import IMAGE_TLV, ImageInfo
from smpclient.requests.image_management import ImageErase, ImageStatesRead, ImageStatesWrite
from smpclient.requests.os_management import (
    BootloaderInformationRead,
    EchoWrite,
    MCUMgrParametersRead,
    OSApplicationInfoRead,
    ResetWrite,
)
from smpclient.transport.serial import Cobs, SMPSerialRawTransport, SMPSerialTransport

OPEN_LIMIT_S = 10.0
"""A port may take this long to appear."""

parser = argparse.ArgumentParser()
parser.add_argument("--port", required=True)
parser.add_argument("--framing", choices=["console", "cobs", "raw"], required=True)
parser.add_argument("--mtu", type=int, default=2048, help="largest frame for COBS and raw, in bytes")
parser.add_argument("--image", type=Path, required=True)
parser.add_argument("--until", choices=["upload", "confirm"], default="confirm")
parser.add_argument("--boot-limit", type=float, default=60.0, help="seconds from reset until the image runs")
parser.add_argument(
    "--patience", type=float, default=2.5, help="seconds for an answer; the client's own default, too short for an emulated board"
)
options = parser.parse_args()


def transport():
    if options.framing == "console":
        return SMPSerialTransport()
    return SMPSerialRawTransport(mtu=options.mtu, framing=Cobs() if options.framing == "cobs" else None)


async def connect() -> SMPClient:
    client = SMPClient(transport(), options.port, options.patience)
    await client.connect(OPEN_LIMIT_S)
    return client


async def leave(client: SMPClient):
    try:
        await client.disconnect()
    except OSError:
        pass  # the port went first


def require(step: str, response):
    if not success(response):
        raise RuntimeError(f"{step}: {response}")
    return response


def states(response) -> list[dict]:
    return [
        {
            "slot": image.slot,
            "version": image.version,
            "hash": image.hash.hex() if image.hash else None,
            **{flag: getattr(image, flag) for flag in ("bootable", "pending", "confirmed", "active", "permanent")},
        }
        for image in response.images
    ]


async def refused(client: SMPClient, request) -> str:
    """The name of the error that a request gets; an empty one when it succeeds."""
    response = await client.request(request)
    if not error(response):
        return ""
    code = response.rc if hasattr(response, "rc") else response.err.rc
    return getattr(code, "name", str(code))


async def wait_until_runs(wanted: str) -> SMPClient:
    """The port goes away and comes back, more than once: open, ask, and start again when it is not that yet."""
    end = time.monotonic() + options.boot_limit
    last = "no answer"
    while time.monotonic() < end:
        client = SMPClient(transport(), options.port)
        try:
            await client.connect(1.0)
            listed = states(require("list", await client.request(ImageStatesRead(), timeout_s=1.0)))
            if any(image["active"] and image["hash"] == wanted for image in listed):
                return client
            last = f"{listed}"
        except Exception as problem:
            last = f"{type(problem).__name__}: {problem}"
        await leave(client)
        await asyncio.sleep(0.05)
    raise RuntimeError(f"the new image did not run: {last}")


async def main() -> dict:
    image = options.image.read_bytes()
    wanted = ImageInfo.load_file(str(options.image)).get_tlv(IMAGE_TLV.SHA256).value
    out = {"hash": wanted.hex()}
    client = await connect()
    for version in (Version.V1, Version.V2):
        text = f"hello in {version.name}"
        out[f"echo_{version.name}"] = require("echo", await client.request(EchoWrite(d=text, version=version))).r == text
        # No image of that hash is there.
        out[f"unknown_{version.name}"] = await refused(client, ImageStatesWrite(hash=bytes(32), version=version))
    params = require("params", await client.request(MCUMgrParametersRead()))
    out["params"] = {"buf_size": params.buf_size, "buf_count": params.buf_count}
    out["info"] = require("info", await client.request(OSApplicationInfoRead())).output
    out["bootloader"] = require("bootloader", await client.request(BootloaderInformationRead())).bootloader
    out["before"] = states(require("list", await client.request(ImageStatesRead())))
    out["erase_of_running"] = await refused(client, ImageErase(slot=0))

    start = time.monotonic()
    offsets = [offset async for offset in client.upload(image, upgrade=False)]
    out["upload"] = {"seconds": time.monotonic() - start, "bytes": len(image), "frames": len(offsets)}
    out["uploaded"] = states(require("list", await client.request(ImageStatesRead())))
    if options.until == "upload":
        await client.disconnect()
        return out

    out["test"] = states(require("test", await client.request(ImageStatesWrite(hash=wanted, confirm=False))))
    require("reset", await client.request(ResetWrite()))
    await leave(client)

    client = await wait_until_runs(wanted.hex())
    out["running"] = states(require("list", await client.request(ImageStatesRead())))
    out["confirm"] = states(require("confirm", await client.request(ImageStatesWrite(confirm=True))))
    require("erase", await client.request(ImageErase(slot=1), timeout_s=40.0))
    out["erased"] = states(require("list", await client.request(ImageStatesRead())))
    await client.disconnect()
    return out


try:
    print(json.dumps(asyncio.run(main())))
except Exception as problem:
    sys.exit(f"{type(problem).__name__}: {problem}")
