import Platform
import Testing

@Suite("Guarded values")
struct GuardedTests {
    @Test("threads change the value one at a time and see each other's changes")
    func turns() {
        let numbers = Guarded<[Int]>([])
        let threads = (0..<4).map { thread in
            SystemThread { for turn in 0..<500 { numbers.withLock { $0.append(4 * turn + thread) } } }
        }
        for thread in threads { thread.join() }
        #expect(numbers.withLock { $0.sorted() } == Array(0..<2000))
    }

    @Test("an error of the body is rethrown and the lock is released")
    func errors() {
        let count = Guarded(0)
        #expect(throws: UserError.self) { try count.withLock { _ in throw UserError(.data, "none") } }
        #expect(
            count.withLock {
                $0 += 1; return $0
            } == 1
        )
    }
}
