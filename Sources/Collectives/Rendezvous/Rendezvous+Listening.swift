import Platform

extension Rendezvous {
    /// A listening socket that the launcher opened for rank 0, so that nobody else can take the port in between.
    static let listenerVariable = "DDP_TRAIN_LISTEN_FD"

    /// Where rank 0 listens: loopback only, unless the job has a secret.
    ///
    /// - Throws: `CollectiveError.usage` when a port is taken, or other machines are to come without a secret.
    func listen(environment: [String: String] = [:]) throws -> [Socket] {
        if let text = environment[Self.listenerVariable], !text.isEmpty { return [try inherited(text)] }
        guard let master = place.masterAddress else { throw needsMaster }
        let named = knownAddresses(of: master)
        var wanted = named.filter(\.isLoopback)
        if secret.isPublic {
            guard !named.isEmpty else { throw CollectiveError.usage(nobodyKnows(master)) }
            guard !wanted.isEmpty, wanted.count == named.count || master == "localhost" else {
                throw needsSecret(master)
            }
        } else if let numeric = SocketAddress(numeric: master, port: place.masterPort) {
            wanted = [numeric]
        } else {
            // What a host's own name resolves to may be loopback, or an interface that nobody can reach.
            wanted += try LocalNames.addresses(of: interface).compactMap {
                SocketAddress(numeric: $0, port: place.masterPort)
            }
        }
        let sockets = try listen(on: wanted)
        guard !sockets.isEmpty else {
            throw CollectiveError.usage(
                "MASTER_ADDR=\(master) is no address of this machine (\(LocalNames.host)), where rank 0 is: set it to one"
            )
        }
        return sockets
    }

    /// Where rank 0 listens when the launcher itself, such as MPI, tells the others where: free ports of the range, on loopback when
    /// all ranks are on this machine, else on every address by which other machines may reach it.
    ///
    /// - Returns: sockets whose `localAddress` are the candidates for the others. None is loopback unless all are: a rank
    ///   elsewhere would look for rank 0 on its own machine.
    /// - Throws: `CollectiveError.usage`.
    func listenAnywhere() throws -> [Socket] {
        let isHere = place.localWorldSize == place.worldSize
        guard isHere || !secret.isPublic else { throw needsSecret(LocalNames.host) }
        var hosts = isHere && interface.isEmpty ? ["127.0.0.1"] : try LocalNames.addresses(of: interface)
        // An address of a link means something on that link only, under another zone on each machine.
        if interface.isEmpty { hosts.removeAll { $0.contains("%") } }
        let sockets = try hosts.compactMap { try listenOnFreePort($0) }
        guard !sockets.isEmpty else {
            throw CollectiveError.usage(
                "\(LocalNames.host) has no address that other machines can reach: see its interfaces"
            )
        }
        return sockets
    }

    /// Of rank 0's own name, without which it cannot listen where there is no secret. The name may become known only later.
    private func knownAddresses(of master: String) -> [SocketAddress] {
        let notice = WaitingNotice(
            "waiting for the name of rank 0: \(nobodyKnows(master))",
            after: quietWait,
            note: note
        )
        defer { notice.end() }
        while true {
            let addresses = SocketAddress.resolve(master, port: place.masterPort)
            guard addresses.isEmpty, secret.isPublic, .now < deadline else { return addresses }
            usleep(500_000)
        }
    }

    /// - Throws: when a port is taken, be it on one address only: ranks would come to whoever has it.
    private func listen(on addresses: [SocketAddress]) throws -> [Socket] {
        var sockets: [Socket] = []
        for (index, address) in addresses.enumerated() where !addresses[..<index].contains(address) {
            guard !secret.isPublic || address.isLoopback else { throw needsSecret(address.host) }
            do { sockets.append(try listening(on: address)) } catch let error as SocketError {
                if error.code == EADDRNOTAVAIL { continue }
                let owner = error.code == EADDRINUSE ? ", perhaps by another job" : ""
                throw CollectiveError.usage(
                    "rank 0 \(error)\(owner): choose another MASTER_PORT, the same for all ranks of this job"
                )
            }
        }
        return sockets
    }

    /// Listens on the first free port of the range; the ranks of a machine begin at different ones.
    ///
    /// - Returns: nil when the address is not this machine's.
    /// - Throws: `CollectiveError.usage`.
    func listenOnFreePort(_ host: String) throws -> Socket? {
        guard let address = SocketAddress(numeric: host, port: 0) else {
            throw CollectiveError.usage("\(host) is no address to listen on: choose another --interface")
        }
        guard !secret.isPublic || address.isLoopback else { throw needsSecret(host) }
        for port in ports.ports(from: place.rank) {
            do { return try Socket.listening(on: address.with(port: port)) } catch let error as SocketError {
                switch error.code {
                case EADDRINUSE: continue
                case EADDRNOTAVAIL, EAFNOSUPPORT: return nil
                default: throw CollectiveError.usage("rank \(place.rank) \(error): choose another --port_range")
                }
            }
        }
        let whole = ports.count == 1 ? "the port is" : "all \(ports.count) ports are"
        throw CollectiveError.usage(
            "port_range=\(ports): \(whole) in use on \(["::", "0.0.0.0"].contains(host) ? "this machine" : host), where rank "
                + "\(place.rank) listens: choose a wider --port_range"
        )
    }

    /// A rank that looks for rank 0 may hold the very port for a moment (see `Socket.connected`), so it is tried again.
    private func listening(on address: SocketAddress) throws -> Socket {
        for _ in 0..<20 {
            do { return try Socket.listening(on: address) } catch let error as SocketError
                where error.code == EADDRINUSE
            {
                usleep(50_000)
            }
        }
        return try Socket.listening(on: address)
    }

    private func inherited(_ text: String) throws -> Socket {
        let socket: Socket
        do { socket = try Socket.inherited(text) } catch {
            throw CollectiveError.usage(
                "\(Self.listenerVariable)=\(text) \(error): unset it, unless you are a launcher"
            )
        }
        let address = socket.localAddress
        guard !secret.isPublic || address?.isLoopback == true else { throw needsSecret(address?.host ?? "?") }
        return socket
    }

    /// Where the others look for rank 0 by what their environment says; empty while its name is not known.
    func masterAddresses() throws -> [SocketAddress] {
        guard let master = place.masterAddress else { throw needsMaster }
        var addresses = SocketAddress.resolve(master, port: place.masterPort)
        guard !addresses.isEmpty else { return [] }
        if secret.isPublic {
            if master == "localhost" { addresses.removeAll { !$0.isLoopback } }
            guard !addresses.isEmpty, addresses.allSatisfy(\.isLoopback) else { throw needsSecret(master) }
        }
        return addresses
    }

    private var needsMaster: CollectiveError {
        .usage(
            "nothing says where rank 0 of this job is (started by \(place.launcher.rawValue)): set MASTER_ADDR to its address, "
                + "the same for every rank"
        )
    }

    func nobodyKnows(_ master: String) -> String {
        "MASTER_ADDR=\(master) is not known on \(LocalNames.host): set it to an address"
    }

    func needsSecret(_ address: String) -> CollectiveError {
        .usage(
            """
            \(address) is not this machine alone, and the job has no secret: put one into a file that all ranks read, \
            (umask 077; openssl rand -hex 32 > secret), and set \(JobSecret.fileVariable)
            """
        )
    }
}
