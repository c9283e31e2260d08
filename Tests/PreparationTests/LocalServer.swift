import Foundation
import Platform
import TestSupport

/// An HTTP server on loopback that serves one file, with a list of faults for consecutive requests.
final class LocalServer: @unchecked Sendable {
    enum Answer {
        /// Sends the whole file or the requested range.
        case good
        /// Closes the connection after this number of bytes of the body.
        case cut(after: Int)
        /// Sends this number of bytes of the body, and then nothing.
        case stall(after: Int)
        /// Sends the whole file and ignores the requested range.
        case ignoringRange
        /// Sends this HTTP status without a body.
        case status(Int)
    }

    let content: [UInt8]
    let port: UInt16
    private let listener: Int32
    private let lock = NSLock()
    private var answers: [Answer]
    private var seenRanges: [Int] = []

    /// - Parameter answers: One answer per request. Later requests get good answers.
    init(_ content: [UInt8], answers: [Answer]) throws {
        self.content = content
        self.answers = answers
        let listener = socket(AF_INET, SystemSocket.stream, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isReady = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 8) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isReady else { throw POSIXError(.EADDRNOTAVAIL) }
        port = UInt16(bigEndian: address.sin_port)
        self.listener = listener
        Thread.detachNewThread { [weak self] in
            while case let connection = accept(listener, nil, nil), connection >= 0 {
                guard let self else { break }
                Thread.detachNewThread { self.serve(connection) }
            }
            // Closes the socket here and not in `stop`, where its descriptor could be reused before this thread ends.
            close(listener)
        }
    }

    /// Stops accepting requests.
    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    var url: String { "http://127.0.0.1:\(port)/file" }
    /// The first byte of the range of each request, in order.
    var requests: [Int] { lock.withLock { seenRanges } }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        var request = ""
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !request.contains("\r\n\r\n") {
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            request += String(decoding: buffer[..<count], as: UTF8.self)
        }
        let asked = request.firstMatch(of: /[Rr]ange: bytes=(\d+)-/).flatMap { Int($0.1) }
        let answer = lock.withLock {
            seenRanges.append(asked ?? 0)
            return answers.isEmpty ? .good : answers.removeFirst()
        }
        var start = asked ?? 0
        if case .ignoringRange = answer { start = 0 }
        if case .status(let status) = answer {
            return refuse(connection, status)
        }
        guard start < content.count else { return refuse(connection, 416) }
        let body = content[start...]
        let range = "Content-Range: bytes \(start)-\(content.count - 1)/\(content.count)\r\n"
        let head =
            "HTTP/1.1 \(start > 0 ? "206 Partial" : "200 OK")\r\nContent-Length: \(body.count)\r\n"
            + (start > 0 ? range : "") + "Connection: close\r\n\r\n"
        transmit(connection, Array(head.utf8))
        switch answer {
        case .cut(let count): transmit(connection, Array(body.prefix(count)))
        case .stall(let count):
            transmit(connection, Array(body.prefix(count)))
            // Waits until the client closes the connection.
            _ = recv(connection, &buffer, buffer.count, 0)
        default: transmit(connection, Array(body))
        }
    }

    private func refuse(_ connection: Int32, _ status: Int) {
        transmit(connection, Array("HTTP/1.1 \(status) No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8))
    }

    private func transmit(_ connection: Int32, _ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(connection, $0.baseAddress, $0.count, SystemSocket.withoutSignal)
            }
            guard count > 0 else { return }
            sent += count
        }
    }
}
