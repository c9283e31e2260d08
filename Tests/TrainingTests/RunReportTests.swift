import Compute
import Configuration
import Platform
import Testing
import Transformer

@testable import Training

@Suite("What a run says")
struct RunReportTests {
    @Test(
        "Durations are told in the units one waits in",
        arguments: [
            (0.2, "1 s"), (59, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (12000, "3 h 20 min"),
            (86400, "1 day 0 h"), (400_000, "4 days 15 h"), (214 * 86400, "214 days"), (1e15, "more than 30,000 years"),
        ] as [(Double, String)]
    )
    func durations(seconds: Double, text: String) {
        #expect(RunClock.text(seconds: seconds) == text)
    }

    @Test("The clock leaves out the first step, and adds what evaluations will take")
    func clock() {
        var clock = RunClock()
        #expect(clock.secondsPerStep == nil)
        clock.stepTook(10)
        #expect(clock.secondsPerStep == 10)
        for _ in 0..<5 { clock.stepTook(2) }
        clock.evaluationTook(7)
        #expect(clock.isSettled)
        #expect(clock.seconds(steps: 100, evaluations: 3) == 221)
        #expect(clock.lapMeans(restart: true).seconds == 20.0 / 6)
        clock.stepTook(4)
        #expect(clock.lapMeans(restart: false).seconds == 4)
    }

    @Test("Evaluations to come: at multiples of the interval and at the end")
    func evaluationCount() {
        var values = TrainingConfiguration()
        values.maxIters = 10
        values.evalInterval = 4
        #expect(
            [0, 1, 4, 5, 8, 9, 10, 11].map { values.evaluationCount(after: $0) } == [4, 3, 3, 2, 2, 1, 1, 0]
        )
        values.maxIters = 8
        #expect([0, 1, 8, 9].map { values.evaluationCount(after: $0) } == [3, 2, 1, 0])
    }

    private func preset(_ name: String) throws -> TrainingConfiguration {
        try ConfigurationSources(options: [("preset", name)]).resolve().values
    }

    @Test("A run of many days is told so, with a smaller preset")
    func advice() throws {
        let gpt2 = try preset("gpt2").model(vocabularySize: 50304)
        #expect(RunHeader.advice(seconds: 214 * 86400, model: gpt2) == "; see --preset=small, or lower --max_iters")
        #expect(RunHeader.advice(seconds: 3600, model: gpt2) == "")
    }

    @Test("Progress on a terminal replaces itself, and gives way to lines")
    func terminal() {
        var now = ContinuousClock.now
        var written = ""
        let sink = RunOutput.Sink(line: { written += $0 + "\n" }, note: { written += $0 + "\n" }) { written += $0 }
        let output = RunOutput(sink, linesGoToTerminal: true, now: { now })
        output.progress("too soon")
        now += .seconds(1)
        output.progress("half")
        output.line("a line")
        #expect(written == "\rhalf\u{1B}[K\r\u{1B}[Ka line\n")
    }

    @Test("Progress is cut to the terminal's width, so that it never wraps, and follows when that changes")
    func narrowTerminal() {
        var (now, written, columns) = (ContinuousClock.now, "", 10)
        let output = RunOutput(
            .init(line: { _ in }, note: { _ in }, terminal: { written = $0 }, columns: { columns }),
            now: { now }
        )
        func shown(_ text: String) -> String {
            now += .seconds(1)
            output.progress(text)
            return String(written.dropFirst().dropLast(3))
        }
        #expect(shown("123456789") == "123456789")
        #expect(shown("1234567890") == "12345678…")
        #expect(shown("日本語日本") == "日本語日…")
        #expect(shown("e\u{301}e\u{301}e\u{301}") == "e\u{301}e\u{301}e\u{301}")
        #expect(shown("a\u{1B}[31m\nb") == "a [31m b")
        columns = 20
        #expect(shown("1234567890") == "1234567890")
        columns = 1
        #expect(shown("1234567890") == "")
    }

    @Test("What a run says through a writer does not wait for a reader, and comes in order to one who reads")
    func throughWriter() throws {
        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        let writer = OutputWriter(output: ends[1], errors: ends[1])
        let output = RunOutput(.through(writer), linesGoToTerminal: false)
        output.line("first")
        output.note("second")
        #expect(writer.drain())
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(ends[0], &buffer, buffer.count)
        #expect(String(decoding: buffer.prefix(max(0, count)), as: UTF8.self) == "first\nsecond\n")
        // Twice what the pipe and the writer hold.
        for _ in 0..<25_000 { output.line(String(repeating: "x", count: 99)) }
        #expect(!writer.drain(patience: .milliseconds(20)))
        close(ends[0])
        #expect(writer.drain())
        close(ends[1])
    }

    @Test("Without a terminal, progress is a note after a minute of silence")
    func noTerminal() {
        var now = ContinuousClock.now
        var notes: [String] = []
        let output = RunOutput(.init(line: { _ in }, note: { notes.append($0) }), now: { now })
        for second in 1...130 {
            now += .seconds(1)
            output.progress("second \(second)")
        }
        #expect(notes == ["second 60", "second 120"])
    }

    @Test("What does not fit is refused with the estimate and the largest batch and block that do")
    func memory() throws {
        var model = try preset("gpt2").model(vocabularySize: 50304)
        model.blockSize = 64
        func training(_ batchSize: Int) -> TrainingConfiguration {
            var values = TrainingConfiguration()
            values.batchSize = batchSize
            return values
        }
        func need(_ batchSize: Int, block: Int = 64) -> Int {
            var shape = model
            shape.blockSize = block
            return MemoryPlan(model: shape, training: training(batchSize), threads: 2).stillNeeded
        }
        func refusal(_ batchSize: Int, _ available: Int) throws -> String {
            let error = #expect(throws: UserError.self) {
                try MemoryCheck(model: model, training: training(batchSize), threads: 2, available: available)
            }
            #expect(error?.kind == .usage)
            return try #require(error).message
        }
        _ = try MemoryCheck(model: model, training: training(4), threads: 2, available: need(4))
        _ = try MemoryCheck(model: model, training: training(4), threads: 2, available: nil)
        let message = try refusal(12, need(4))
        #expect(message.contains("--batch_size=4, or --block_size="), "\(message)")
        let block = try #require(Int(message.split(separator: "=").last!))
        #expect(need(12, block: block) <= need(4) && need(12, block: block + 1) > need(4), "block_size=\(block)")
        // Also among sizes of which not every one is tried at first.
        let many = try refusal(200, need(100))
        let named = many.split(separator: "=").dropLast().last.flatMap { Int($0.prefix { $0.isNumber }) }
        let largest = try #require(named, "\(many)")
        #expect(need(largest) <= need(100) && need(largest + 1) > need(100), "batch_size=\(largest)")
        // Nothing but a shorter block helps a batch of one.
        let one = try refusal(1, need(1, block: 32))
        #expect(one.hasSuffix("the largest that fit are --block_size=32"), "\(one)")
        #expect(try refusal(4, 1_000_000).contains("not even batch_size=1 and block_size=1 fit"))
        #expect(try #require(MemoryCheck.availableBytes) > 1 << 26)
        #expect(Processors.available >= 1)
    }

    @Test("GPT-2 medium is planned to train within 8 GB")
    func medium() throws {
        let values = try preset("gpt2-medium")
        let model = values.model(vocabularySize: 50304)
        #expect(abs(Double(ParameterLayout(model).count) / 355e6 - 1) < 0.01)
        let plan = MemoryPlan(model: model, training: values, threads: 2)
        #expect(plan.total < 8_000_000_000, "\(plan)")
        #expect(plan.total > 4 * 4 * ParameterLayout(model).count)
    }

    @Test("An excerpt of a sample stands on one line")
    func excerpt() {
        #expect(SampleWriter.excerpt(of: Array("\nROMEO:\nWhat\tis".utf8)) == "ROMEO: / What�is")
        #expect(SampleWriter.excerpt(of: [UInt8](repeating: 97, count: 100)) == String(repeating: "a", count: 72) + "…")
    }

    @Test("The command that repeats a run is ready for a shell")
    func command() throws {
        var values = try preset("baby")
        values.outDir = "it's here"
        #expect(
            ResolvedConfiguration(values).command(ranks: 1)
                == "ddp-train --preset=baby --dataset=shakespeare_char '--out_dir=it'\\''s here'"
        )
    }
}
