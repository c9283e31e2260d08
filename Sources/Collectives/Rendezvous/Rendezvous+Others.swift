import Platform

/// The part of every rank but rank 0.
extension Rendezvous {
    /// - Parameter candidates: where rank 0 may be reached; nil for the master's address, which may become known only later.
    func meetAsOther(_ candidates: [SocketAddress]?) throws -> Meeting {
        let notice = WaitingNotice(
            "waiting for rank 0" + (place.masterAddress.map { " at \($0) port \(place.masterPort)" } ?? ""),
            after: quietWait,
            note: note
        )
        defer { notice.end() }
        let (control, ringListener, hellos, meeting) = try comeToMain(candidates, notice)
        notice.end()
        let next = (place.rank + 1) % place.worldSize
        let mainHost = control.remoteAddress?.host ?? "127.0.0.1"
        let ring = try ringListener.map {
            try joinRing($0, next: hellos[next].ringAddress(orElse: mainHost), hellos.members, meeting)
        }
        let own =
            ringListener.flatMap { $0.address.isEmpty ? nil : $0.address } ?? control.localAddress?.host ?? "127.0.0.1"
        return Meeting(
            members: hellos.members,
            control: [(0, control.release())],
            ring: ring,
            route: Self.route(of: own)
        )
    }

    /// Comes to rank 0 and waits until all are there. When rank 0 goes before that, this rank looks for it again: whoever started
    /// it may start it once more.
    private func comeToMain(
        _ candidates: [SocketAddress]?,
        _ notice: WaitingNotice
    ) throws -> (control: Socket, ring: RingListener?, hellos: [Hello], meeting: String) {
        while true {
            let control = try reachMain(candidates, notice)
            let main = control.remoteAddress.map { "rank 0 at \($0)" } ?? "rank 0"
            let ringListener = wantsRing ? try listenForRing(by: control.localAddress) : nil
            notice.text = "\(main) is there; waiting for the other ranks, which it names"
            do {
                let hello = Hello(
                    host: LocalNames.host,
                    address: ringListener?.address ?? "",
                    port: ringListener?.port ?? 0
                )
                try control.write(hello.message(options), by: deadline + .seconds(1))
                // Rank 0 may have begun to wait for the others only now; it says so when they do not come.
                let patience = meetTimeout + timeout + .seconds(2)
                switch try Roster.read(from: control, worldSize: place.worldSize, by: .now + patience) {
                case .members(let hellos, let meeting): return (control, ringListener, hellos, meeting)
                case .failure(let failure): throw CollectiveError.failed(failure)
                case .turnedAway(let reason): throw turnedAway(at: control.remoteAddress, reason)
                }
            } catch let error as SocketError {
                guard .now < deadline else {
                    throw CollectiveError.failed(Failure(culprit: main, reason: "\(error)"))
                }
                note("\(main) is gone before all ranks had come, looking for it again: \(error)")
                notice.text =
                    "waiting for rank 0 to come again to \(control.remoteAddress.map { "\($0)" } ?? "its address")"
                usleep(200_000)
            }
        }
    }

    /// Tries every address again and again: rank 0, or its name, may come later, and another program may have its port till then.
    private func reachMain(_ given: [SocketAddress]?, _ notice: WaitingNotice) throws -> Socket {
        var problem = "there is no address to try"
        var pause: UInt32 = 20_000
        while .now < deadline {
            let candidates = try given ?? masterAddresses()
            if candidates.isEmpty, let master = place.masterAddress { problem = nobodyKnows(master) }
            // An address that swallows everything must not take the time of the others.
            let patience = Duration.seconds(candidates.count > 1 ? 2 : 3)
            var stranger: SocketAddress?
            for address in candidates {
                do {
                    return try enter(address, by: min(deadline, .now + patience))
                } catch let refusal as Handshake.Refusal {
                    // What is signed comes from rank 0; what is not may come from another machine with this address.
                    guard refusal.verdict == .wrongSecret else { throw turnedAway(at: address, refusal.verdict.reason) }
                    stranger = stranger ?? address
                } catch {
                    problem = "\(error)"
                    notice.text = "waiting for rank 0: \(problem)"
                }
            }
            if let stranger { throw turnedAway(at: stranger, Verdict.wrongSecret.reason) }
            notice.text = "waiting for rank 0: \(problem)"
            usleep(pause)
            pause = min(2 * pause, 500_000)
        }
        throw CollectiveError.failed(
            Failure(
                culprit: "rank 0",
                reason:
                    "could not be reached within \(meetTimeout.inSeconds): \(problem); is it running, and not behind a firewall?"
            )
        )
    }

    /// - Parameter patience: for the connection alone.
    private func enter(_ address: SocketAddress, by patience: ContinuousClock.Instant) throws -> Socket {
        let socket = try Socket.connected(to: address, by: patience)
        do { try handshake.connect(socket, as: greeting(.control, to: 0), by: deadline) } catch let error as SocketError
        {
            throw SocketError("\(address) is open, but rank 0 does not answer there: \(error)", nil)
        }
        return socket
    }

    private func turnedAway(at address: SocketAddress?, _ reason: String) -> CollectiveError {
        .usage(
            "rank \(place.rank) was turned away by rank 0 at \(address.map { "\($0)" } ?? "an unknown address"), because it "
                + "\(reason): start all ranks of a job alike, and give another job another MASTER_PORT or DDP_TRAIN_JOB_ID"
        )
    }
}
