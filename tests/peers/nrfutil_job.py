"""What Nordic's nrfutil 6.1.7 does, by its library: the program itself wants a driver for Bluetooth that no Python from 3.11 on has.

generate FIRMWARE.hex PACKAGE [KEY]   makes a package for the nRF52840 dongle, signed where there is a key
display PACKAGE                       says what is in a package, as `nrfutil pkg display` does
update PORT PACKAGE                   sends a package, as `nrfutil dfu usb-serial` does
keygen KEY                            makes a key pair and prints the public key: x and y in hexadecimal
"""

import sys
import types


class NordicSemiException(Exception):
    """The only thing that the driver for Bluetooth is asked for here."""


driver = types.ModuleType("pc_ble_driver_py")
driver.exceptions = types.ModuleType("pc_ble_driver_py.exceptions")
driver.exceptions.NordicSemiException = NordicSemiException
sys.modules["pc_ble_driver_py"] = driver
sys.modules["pc_ble_driver_py.exceptions"] = driver.exceptions

from nordicsemi.dfu.dfu import Dfu  # noqa: E402
from nordicsemi.dfu.dfu_transport_serial import DfuTransportSerial  # noqa: E402
from nordicsemi.dfu.package import Package  # noqa: E402
from nordicsemi.dfu.signing import Signing  # noqa: E402


def generate(firmware, package, key=None):
    signer = None
    if key:
        signer = Signing()
        signer.load_key(key)
    made = Package(
        hw_version=52, app_version=1, sd_req=[0], sd_id=[0], app_fw=firmware, signer=signer
    )
    made.generate_package(package)


def display(package):
    shown = Package()
    shown.parse_package(package, preserve_work_dir=True)
    print(shown)


def update(port, package):
    # The time that it looks for a USB device of this name, which a pseudo-terminal is not, and then for an answer.
    transport = DfuTransportSerial(com_port=port, timeout=2)
    Dfu(package, dfu_transport=transport, connect_delay=0).dfu_send_images()


def keygen(key):
    signer = Signing()
    signer.gen_key(key)
    print(signer.sk.get_verifying_key().to_string().hex())


if __name__ == "__main__":
    job, *arguments = sys.argv[1:]
    {"generate": generate, "display": display, "update": update, "keygen": keygen}[job](*arguments)
