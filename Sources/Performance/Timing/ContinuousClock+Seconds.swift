extension ContinuousClock {
    /// Seconds that `body` takes.
    static func seconds(_ body: () -> Void) -> Double { ContinuousClock().measure(body) / .seconds(1) }
}
