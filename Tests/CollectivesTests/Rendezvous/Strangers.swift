@testable import Collectives

/// Who knocks at rank 0's port without being welcome.
enum Strangers {
    static func connect(_ port: UInt16) throws -> Socket {
        try Socket.connected(to: SocketAddress(numeric: "127.0.0.1", port: port)!, by: .now + .seconds(5))
    }

    static func knock(_ port: UInt16, _ bytes: [UInt8]) throws -> Socket {
        let socket = try connect(port)
        try socket.write(bytes, by: .now + .seconds(5))
        return socket
    }
}

extension Strangers {
    /// Goes through the handshake as a rank would.
    static func enter(_ port: UInt16, as rendezvous: Rendezvous) throws -> Socket {
        let socket = try connect(port)
        try Handshake(secret: rendezvous.secret)
            .connect(socket, as: rendezvous.greeting(.control, to: 0), by: .now + .seconds(5))
        return socket
    }
}
