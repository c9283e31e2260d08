/// The executable of this process, which `launch` starts again for each rank.
package enum OwnExecutable {
    /// The executable's path, independent of the name that started it.
    ///
    /// - Throws: `UserError(.other)` if the system does not report it.
    package static func path() throws -> String {
        var buffer = [CChar](repeating: 0, count: 4097)
        #if canImport(Darwin)
            var size = UInt32(buffer.count)
            let isKnown = _NSGetExecutablePath(&buffer, &size) == 0
        #else
            let isKnown = readlink("/proc/self/exe", &buffer, buffer.count - 1) > 0
        #endif
        guard isKnown else { throw UserError(.other, "cannot find the path of this program's executable") }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
