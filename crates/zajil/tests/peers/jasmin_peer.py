"""Jasmin with a broker and a Redis of its own, for as long as the standard input is open.

usage: jasmin_peer.py FOLDER

Says where it listens, as a line of JSON. Then each line read is a list: what to do, and with what;
each is answered with a line. Jasmin itself is driven by the proxies that it brings.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time

from twisted.internet import defer, reactor, threads

RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"
"""Debian's own script changes to another user first."""

PATIENCE = 120
"""Seconds: longer than anything takes on a slow machine."""

DAEMON = """
import lockfile, runpy, sys
# Else there is one Jasmin on a machine.
at_home = lockfile.FileLock
lockfile.FileLock = lambda path: at_home(%r + path.replace("/", "_"))
sys.argv = %r
runpy.run_module("jasmin.bin.%s", run_name="__main__")
"""

SETTINGS = """
[redis-client]
port = {redis}
[amqp-broker]
port = {amqp}
spec = {spec}
[router]
bind = 127.0.0.1
port = {router}
authentication = false
[client-management]
bind = 127.0.0.1
port = {clients}
authentication = false
[smpp-server]
bind = 127.0.0.1
port = {smpp}
[smpp-server-pb]
bind = 127.0.0.1
port = {smpp_pb}
[smpp-server-pb-client]
port = {smpp_pb}
[http-api]
bind = 127.0.0.1
port = {http}
long_content_split = udh
[jcli]
port = {jcli}
[sm-listener]
# What it is shipped with, with seconds in place of minutes, and 5 in place of 20.
submit_error_retrial = {{'ESME_RSYSERR': {{'count': 2, 'delay': 1}},
    'ESME_RTHROTTLED': {{'count': 5, 'delay': 1}},
    'ESME_RMSGQFUL': {{'count': 2, 'delay': 1}},
    'ESME_RINVSCHED': {{'count': 2, 'delay': 1}}}}
submit_retrial_delay_smppc_not_ready = 1
[dlr]
# A receipt that overtakes the answer within Jasmin is looked at again after that.
dlr_lookup_retry_delay = 1
"""


def free_ports(names):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = {name: one.getsockname()[1] for name, one in zip(names, sockets)}
    for one in sockets:
        one.close()
    return ports


def wait_for(what, is_so):
    until = time.monotonic() + PATIENCE
    while True:
        answer = is_so()
        if answer:
            return answer
        if time.monotonic() > until:
            raise TimeoutError(what)
        time.sleep(0.05)


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def says(path, text):
    try:
        with open(path, errors="replace") as file:
            return text in file.read()
    except FileNotFoundError:
        return False


class Processes:
    """What was started; each has a group of its own, which ends as one."""

    def __init__(self, folder):
        self.folder = folder
        self.all = []

    def start(self, name, arguments, environment):
        log = open(os.path.join(self.folder, name + ".log"), "wb")
        process = subprocess.Popen(
            arguments,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self.folder,
            start_new_session=True,
        )
        self.all.append((name, process))

    def check(self):
        for name, process in self.all:
            if process.poll() is not None:
                with open(os.path.join(self.folder, name + ".log"), errors="replace") as log:
                    raise RuntimeError(f"{name} ended: {log.read()}")
        return True

    def end(self):
        for _, process in reversed(self.all):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def start_broker(processes, ports):
    """RabbitMQ, with a name server of its own that goes with it."""
    folder = os.path.join(processes.folder, "rabbitmq")
    os.makedirs(folder)
    environment = {
        "HOME": folder,
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(ports["epmd"]),
        "RABBITMQ_NODENAME": f"zajil{ports['amqp']}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(ports["amqp"]),
        "RABBITMQ_DIST_PORT": str(ports["dist"]),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": os.path.join(folder, "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": os.path.join(folder, "plugins"),
        "RABBITMQ_MNESIA_BASE": os.path.join(folder, "mnesia"),
        "RABBITMQ_LOG_BASE": folder,
        "RABBITMQ_LOGS": "-",
        # Then the process is the broker, and not a shell that waits for it.
        "RUNNING_UNDER_SYSTEMD": "1",
        "RABBITMQ_PID_FILE": os.path.join(folder, "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }
    processes.start("epmd", ["epmd"], environment)
    wait_for("epmd", lambda: processes.check() and listens(ports["epmd"]))
    processes.start("rabbitmq-server", [RABBITMQ], environment)


def start(folder):
    import txamqp

    spec = os.path.join(os.path.dirname(txamqp.__file__), "specs/standard/amqp0-9-1.stripped.xml")
    names = "redis amqp epmd dist router clients smpp smpp_pb http jcli".split()
    ports = free_ports(names)
    processes = Processes(folder)
    try:
        redis = ["redis-server", "--port", str(ports["redis"]), "--bind", "127.0.0.1"]
        processes.start("redis-server", [*redis, "--save", "", "--dir", folder], {})
        start_broker(processes, ports)
        settings = os.path.join(folder, "jasmin.cfg")
        with open(settings, "w") as file:
            file.write(SETTINGS.format(**ports, spec=spec))
        wait_for("Redis", lambda: processes.check() and listens(ports["redis"]))
        wait_for("RabbitMQ", lambda: processes.check() and listens(ports["amqp"]))
        store = os.path.join(folder, "store")
        os.makedirs(store)
        log = os.path.join(folder, "log")
        environment = {"ROOT_PATH": folder, "STORE_PATH": store, "LOG_PATH": log}
        # What is set up from here names them too.
        os.environ.update(environment)
        # As its documents say: receipts have two processes of their own.
        for daemon in ["jasmind", "dlrlookupd", "dlrd"]:
            code = DAEMON % (folder + "/", [daemon, "-c", settings], daemon)
            processes.start(daemon, [sys.executable, "-c", code], {})
            if daemon == "jasmind":
                wait_for(daemon, lambda: processes.check() and listens(ports["http"]))
        for name, text in [("dlrlookupd-messages", "is ready"), ("dlr-thrower", "Consuming")]:
            file = os.path.join(log, name + ".log")
            wait_for(name, lambda: processes.check() and says(file, text))
    except BaseException:
        processes.end()
        raise
    return processes, ports


def wait(function, *arguments, **named):
    """Calls where Twisted wants to be called."""

    def told(failure):
        # What failed at the other end is no exception here.
        raise RuntimeError(failure.getTraceback())

    def call():
        return defer.maybeDeferred(function, *arguments, **named).addErrback(told)

    return threads.blockingCallFromThread(reactor, call)


class Jasmin:
    """What can be asked of it."""

    def __init__(self, ports):
        from jasmin.managers.proxies import SMPPClientManagerPBProxy
        from jasmin.routing.proxies import RouterPBProxy

        self.clients, self.router = SMPPClientManagerPBProxy(), RouterPBProxy()
        wait(self.clients.connect, "127.0.0.1", ports["clients"])
        wait(self.router.connect, "127.0.0.1", ports["router"])
        self.users = {}

    def connector(self, cid, settings):
        """A client of a server, once it is bound."""
        from jasmin.protocols.smpp.configs import SMPPClientConfig

        config = SMPPClientConfig(id=cid, submit_sm_throughput=0, **settings)
        assert wait(self.clients.add, config)
        assert wait(self.clients.start, cid)
        wait_for(cid, lambda: wait(self.clients.session_state, cid) == "BOUND_TRX")

    def user(self, name, password):
        from jasmin.routing.jasminApi import Group, User

        group = Group(name)
        self.users[name] = User(name, group, name, password)
        assert wait(self.router.group_add, group)
        assert wait(self.router.user_add, self.users[name])

    def goes_to(self, name, cid):
        """What this user sends goes to this connector."""
        from jasmin.routing.Filters import UserFilter
        from jasmin.routing.Routes import StaticMTRoute
        from jasmin.routing.jasminApi import SmppClientConnector

        filters = [UserFilter(self.users[name])]
        route = StaticMTRoute(filters, SmppClientConnector(cid), 0.0)
        assert wait(self.router.mtroute_add, route, 10 * len(self.users))

    def comes_to(self, name):
        """What comes from anywhere goes to this user."""
        from jasmin.routing.Routes import DefaultRoute
        from jasmin.routing.jasminApi import SmppServerSystemIdConnector

        route = DefaultRoute(SmppServerSystemIdConnector(name))
        assert wait(self.router.moroute_add, route, 0)

    def submit(self, cid, sm):
        """What its HTTP API has no words for."""
        from jasmin.protocols.smpp.operations import SMPPOperationFactory
        from smpp.pdu.pdu_encoding import DataCodingEncoder, RegisteredDeliveryEncoder

        factory = SMPPOperationFactory(long_content_split=sm["split"])
        pdu = factory.SubmitSM(
            source_addr=sm["from"],
            destination_addr=sm["to"],
            short_message=bytes.fromhex(sm["hex"]),
            data_coding=0,
        )
        part = pdu
        while part:
            part.params["data_coding"] = DataCodingEncoder()._decode(bytes([sm["coding"]]))
            last, part = part, getattr(part, "nextPdu", None)
        receipt = bytes([sm["registered_delivery"]])
        last.params["registered_delivery"] = RegisteredDeliveryEncoder()._decode(receipt)
        return wait(
            self.clients.pb.callRemote,
            "submit_sm",
            uid=sm["user"],
            cid=cid,
            SubmitSmPDU=self.clients.pickle(pdu),
            submit_sm_bill=None,
            priority=0,
            dlr_url=sm["dlr_url"],
            dlr_level=sm["dlr_level"],
            dlr_method="GET",
            dlr_connector=cid,
        )


def serve(folder):
    processes, ports = start(folder)
    try:
        jasmin = Jasmin(ports)
        ids = {name: process.pid for name, process in processes.all}
        print(json.dumps({"http": ports["http"], "smpp": ports["smpp"], "pids": ids}), flush=True)
        for line in sys.stdin:
            what, *arguments = json.loads(line)
            answer = getattr(jasmin, what)(*arguments)
            if isinstance(answer, bytes):
                answer = answer.decode()
            print(json.dumps({"answer": answer}), flush=True)
    finally:
        processes.end()


def main():
    failed = []

    def run():
        try:
            serve(*sys.argv[1:])
        except BaseException as error:
            failed.append(error)
        finally:
            reactor.callFromThread(reactor.stop)

    reactor.callInThread(run)
    reactor.run(installSignalHandlers=False)
    if failed:
        raise failed[0]


main()
