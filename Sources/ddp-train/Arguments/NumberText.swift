import ArgumentParser
import Compute
import Configuration
import Platform

/// A number as it was typed, in any form that configurations take: `500`, `5_000`, `1e-3`.
///
/// The parser only keeps the text, so that errors about it have the voice of those about configurations.
struct NumberText: ExpressibleByArgument, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral {
    let text: String

    init(argument: String) { text = argument }
    init(integerLiteral value: Int) { text = String(value) }
    init(floatLiteral value: Double) { text = String(value) }

    var defaultValueDescription: String { text }

    /// - Throws: `UserError(.usage)` that says what the option may be.
    func whole(_ name: String, atLeast minimum: Int, atMost maximum: Int = Int(Int32.max)) throws -> Int {
        guard let value = ConfigurationLiteral.integer(text), value >= minimum else {
            throw UserError(.usage, "\(name)=\(text): must be a whole number of at least \(minimum)")
        }
        guard value <= maximum else { throw UserError(.usage, "\(name)=\(text): must be at most \(maximum)") }
        return value
    }

    /// Help of an option for worker threads.
    static let threadsHelp = ArgumentHelp("Worker threads; 0 takes every core.", valueName: "n")

    /// Worker threads as asked for, where 0 stands for every core.
    func askedThreads() throws -> Int { try whole("threads", atLeast: 0, atMost: 1024) }

    /// Worker threads, at least 1.
    func threads() throws -> Int { Processors.count(asked: try askedThreads()) }

    func seed() throws -> UInt64 { UInt64(try whole("seed", atLeast: 0, atMost: .max)) }

    /// Any number that `isAllowed` accepts.
    ///
    /// - Parameters:
    ///   - name: of the option.
    ///   - allowed: what is accepted, to follow "must be".
    ///   - isAllowed: whether a number is.
    /// - Throws: `UserError(.usage)` that says what the option may be.
    func number(_ name: String, _ allowed: String, _ isAllowed: (Double) -> Bool) throws -> Double {
        guard let value = ConfigurationLiteral.number(text), isAllowed(value) else {
            throw UserError(.usage, "\(name)=\(text): must be \(allowed)")
        }
        return value
    }
}
