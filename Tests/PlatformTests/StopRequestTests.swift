import Platform
import Testing

@Suite("Requests to stop")
struct StopRequestTests {
    @Test("a request is visible to all references to it")
    func request() {
        let stop = StopRequest()
        #expect(!stop.isRequested)
        stop.request()
        #expect(stop.isRequested)
        #expect(!StopRequest().isRequested)
    }

    @Test("a signal makes only those requests that listen for signals")
    func signal() {
        let (listening, notListening) = (StopRequest(), StopRequest())
        listening.listen(saying: false)
        #expect(!listening.isRequested)
        // Send the signal to the process: threads that run tests do not receive signals.
        kill(getpid(), SIGUSR1)
        for _ in 0..<1000 where !listening.isRequested { usleep(10_000) }
        #expect(listening.isRequested)
        #expect(!notListening.isRequested)
        for number in EndingSignals.all { Platform.signal(number, SIG_DFL) }
    }
}
