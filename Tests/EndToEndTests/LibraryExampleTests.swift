import Testing

@Suite("The library's example") struct LibraryExampleTests {
    @Test("stream-text writes what sample writes")
    func streamText() throws {
        let program = try TrainedRun.shared.get().program
        let streamed = try program.run(program: "stream-text", ["out/checkpoints/latest", "The "])
        #expect(streamed.exitCode == 0, "\(streamed.errors)")
        let options = ["--which=latest", "--start=The ", "--num_samples=1", "--max_new_tokens=200"]
        let sampled = try program.start(["sample"] + options).wait()
        #expect(streamed.output.count == 201)
        #expect(sampled.output.contains(streamed.output.dropLast()), "\(streamed.output)\n---\n\(sampled.output)")
    }

    @Test("stream-text says in one line what it cannot load")
    func refused() throws {
        let program = try TrainedRun.shared.get().program
        let result = try program.run(program: "stream-text", ["nowhere", "The "])
        #expect(result.exitCode == 1)
        #expect(result.errorLines.count == 1 && result.errors.hasPrefix("stream-text: "), "\(result)")
    }
}
