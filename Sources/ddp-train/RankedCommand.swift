import ArgumentParser

/// A command that several processes can run together, a rank each.
protocol RankedCommand: ParsableCommand {}
