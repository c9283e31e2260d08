import Foundation
import Platform
import Testing

@testable import Collectives

@Suite("Where ranks listen")
struct ListeningTests {
    private let secret = JobSecret("the secret of the tests")

    private func rendezvous(
        _ master: String?,
        secret: JobSecret,
        port: UInt16 = 0,
        local: Int? = nil,
        interface: String = "",
        ports: PortRange = .standard
    ) -> Rendezvous {
        Rendezvous(
            place: JobPlace(
                launcher: .openMPI,
                rank: 0,
                worldSize: 4,
                localWorldSize: local,
                masterAddress: master,
                masterPort: port,
                jobID: "tests"
            ),
            secret: secret,
            version: "1",
            options: SharedOptions([]),
            interface: interface,
            ports: ports,
            meetTimeout: .seconds(1),
            timeout: .seconds(1),
            wantsRing: true,
            note: { _ in }
        )
    }

    private func message<R>(_ body: () throws -> R) -> String? {
        do {
            _ = try body()
            return nil
        } catch CollectiveError.usage(let line) { return line } catch { return "not a usage error: \(error)" }
    }

    /// An address of this machine that others may reach; nil where it has none.
    private var outside: String? {
        NetworkInterface.all().first { !$0.isLoopback }?.addresses.first { !$0.contains("%") }
    }

    @Test(
        "Without a secret nothing but loopback is listened on, or connected to",
        arguments: ["198.51.100.1", "2001:db8::1"]
    )
    func noSecret(master: String) {
        let rendezvous = rendezvous(master, secret: .none)
        for line in [message { try rendezvous.listen() }, message { try rendezvous.masterAddresses() }] {
            #expect(line?.hasPrefix("\(master) is not this machine alone, and the job has no secret") == true)
            #expect(line?.contains("openssl rand -hex 32") == true)
        }
    }

    @Test("Without a secret an interface that others reach is refused for the ring too")
    func noSecretRing() throws {
        guard let outside else { return }
        let rendezvous = rendezvous("127.0.0.1", secret: .none, interface: outside)
        #expect(message { try rendezvous.listenForRing(by: nil) }?.contains("has no secret") == true)
        #expect(message { try rendezvous.listenAnywhere() }?.contains("has no secret") == true)
    }

    @Test("Loopback needs no secret", arguments: ["127.0.0.1", "localhost"])
    func loopback(master: String) throws {
        let sockets = try rendezvous(master, secret: .none).listen()
        #expect(!sockets.isEmpty)
        #expect(sockets.allSatisfy { $0.localAddress?.isLoopback == true })
        #expect(try !rendezvous(master, secret: .none).masterAddresses().isEmpty)
    }

    @Test("An address that is not this machine's is said to be none")
    func notOwn() {
        let line = message { try rendezvous("198.51.100.1", secret: secret).listen() }
        #expect(line?.hasPrefix("MASTER_ADDR=198.51.100.1 is no address of this machine") == true)
    }

    @Test("Where nothing says where rank 0 is, every rank says what to set")
    func noMaster() {
        let rendezvous = rendezvous(nil, secret: secret)
        for line in [message { try rendezvous.listen() }, message { try rendezvous.masterAddresses() }] {
            #expect(line?.contains("set MASTER_ADDR") == true)
        }
    }

    @Test("A port that is taken on one of the addresses is an error, not a smaller choice")
    func taken() throws {
        guard let outside else { return }
        let holder = try Socket.listening(on: #require(SocketAddress(numeric: outside, port: 0)))
        let port = try #require(holder.localAddress).port
        let line = message { try rendezvous("localhost", secret: secret, port: port).listen() }
        #expect(
            line?.hasSuffix(
                "Address already in use, perhaps by another job: choose another MASTER_PORT, the same for all ranks of this job"
            ) == true,
            "\(line ?? "it listens")"
        )
    }

    @Test("Where MPI tells the others, rank 0 listens on loopback or on what others reach, never on both")
    func anywhere() throws {
        let here = try rendezvous(nil, secret: .none, local: 4).listenAnywhere()
        #expect(here.count == 1)
        #expect(here.first?.localAddress?.isLoopback == true)
        #expect(here.first?.localAddress?.port != 0)
        #expect(
            message { try rendezvous(nil, secret: .none, local: 2).listenAnywhere() }?.contains("no secret") == true
        )
        guard outside != nil else { return }
        let there = try rendezvous(nil, secret: secret, local: 2).listenAnywhere().compactMap(\.localAddress)
        #expect(!there.isEmpty)
        #expect(there.allSatisfy { !$0.isLoopback && !$0.host.contains("%") && $0.port != 0 })
    }

    @Test("Ports that ranks choose are in the range, outside those of the system, and differ between ranks")
    func chosenPorts() throws {
        #expect(PortRange.standard.last < 32768)
        let one = rendezvous("127.0.0.1", secret: .none, local: 4)
        let sockets = try (0..<3).map { _ in try one.listenForRing(by: nil).socket } + one.listenAnywhere()
        let ports = sockets.compactMap(\.localAddress?.port)
        #expect(ports.count == 4 && Set(ports).count == 4)
        #expect(ports.allSatisfy { (PortRange.standard.first...PortRange.standard.last).contains($0) })
    }

    @Test("Of a range the ports that are taken are passed over, and a range without any is one line")
    func takenPorts() throws {
        let any = try #require(SocketAddress(numeric: "127.0.0.1", port: 0))
        let free = try #require(Socket.listening(on: any).localAddress)
        let range = try #require(PortRange("\(free.port)-\(free.port)"))
        let ranged = rendezvous("127.0.0.1", secret: .none, ports: range)
        let first = try ranged.listenForRing(by: nil)
        #expect(first.port == free.port)
        let line =
            "port_range=\(range): the port is in use on 127.0.0.1, where rank 0 listens: choose a wider --port_range"
        #expect(message { try ranged.listenForRing(by: nil) } == line)
    }

    @Test("A rank on rank 0's machine listens for ranks of other machines as well")
    func ringBesideMain() throws {
        let listener = try rendezvous("127.0.0.1", secret: secret)
            .listenForRing(by: SocketAddress(numeric: "127.0.0.1", port: 1))
        #expect(listener.address.isEmpty)
        for host in ["127.0.0.1", outside].compactMap({ $0 }) {
            let address = try #require(SocketAddress(numeric: host, port: listener.port))
            _ = try Socket.connected(to: address, by: .now + .seconds(5))
        }
        let alone = try rendezvous("127.0.0.1", secret: .none)
            .listenForRing(by: SocketAddress(numeric: "127.0.0.1", port: 1))
        #expect(alone.address == "127.0.0.1")
        #expect(alone.socket.localAddress?.host == "127.0.0.1")
    }

    @Test("An interface is named by its name, its address or its network; others are an error that lists them")
    func interfaces() throws {
        let loopback = try #require(NetworkInterface.all().first { $0.addresses.contains("127.0.0.1") })
        #expect(try LocalNames.addresses(of: loopback.name) == loopback.addresses)
        #expect(try LocalNames.addresses(of: "127.0.0.1") == ["127.0.0.1"])
        #expect(try LocalNames.addresses(of: "127.0.0.0/8").first == "127.0.0.1")
        #expect(try LocalNames.addresses(of: "0.0.0.0/0").contains("127.0.0.1"))
        if loopback.addresses.contains("::1") {
            for network in ["::/64", "::1/128", "0::/127"] {
                #expect(try LocalNames.addresses(of: network) == ["::1"])
            }
        }
        for wrong in [
            "nothing0", "192.0.2.255", "255.255.255.0/24", "127.0.0.0/33", "127.0.0/8", "127.0.0.128/25", "::2/127",
            "::/129",
            "127.0.0.0/-1",
        ] {
            let line = message { try LocalNames.addresses(of: wrong) }
            #expect(line?.hasPrefix("interface=\(wrong): there is none") == true)
            #expect(line?.contains(loopback.name) == true)
        }
        #expect(
            message { try rendezvous("127.0.0.1", secret: secret, interface: "nothing0").meet() }?.contains("nothing0")
                == true
        )
    }

    @Test("A descriptor of the launcher is used if it is a listening socket")
    func inherited() throws {
        let listener = try Socket.listening(on: #require(SocketAddress(numeric: "127.0.0.1", port: 0)))
        let port = try #require(listener.localAddress).port
        let rendezvous = rendezvous("127.0.0.1", secret: secret, port: port)
        // A copy, as a child process has one.
        let given = ["DDP_TRAIN_LISTEN_FD": String(dup(listener.descriptor))]
        let sockets = try rendezvous.listen(environment: given)
        #expect(sockets.map(\.localAddress?.port) == [port])
        let pipe = Pipe()
        for (text, part) in [
            ("x", "is no descriptor"), ("1", "is no descriptor"), ("9999", "is no socket"),
            (String(pipe.fileHandleForReading.fileDescriptor), "is no socket"),
        ] {
            let line = message { try rendezvous.listen(environment: ["DDP_TRAIN_LISTEN_FD": text]) }
            #expect(line?.hasPrefix("DDP_TRAIN_LISTEN_FD=\(text) \(part)") == true, "\(line ?? "taken")")
        }
        let connected = try Socket.connected(to: #require(listener.localAddress), by: .now + .seconds(5))
        let text = String(connected.descriptor)
        #expect(
            message { try rendezvous.listen(environment: ["DDP_TRAIN_LISTEN_FD": text]) }?.contains("not listen")
                == true
        )
    }
}
