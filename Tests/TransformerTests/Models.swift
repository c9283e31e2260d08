import Compute
import ReferenceGPT
import Transformer

/// Returns random tokens for tests, a function of `item`.
func testTokens(_ count: Int, below vocabularySize: Int, item: UInt32 = 0) -> [Int32] {
    let random = CounterRandom(seed: 21, stream: .test, item: item)
    return (0..<count).map { Int32(random.integer(UInt32($0), below: vocabularySize)) }
}

/// Returns a model in which every parameter affects the output: initialized, then with noise added to every tensor,
/// including biases and LayerNorms.
func testModel(_ configuration: GPTConfiguration, threads: Int = 2, deviation: Double = 0.15) -> GPT {
    let model = GPT(configuration: configuration, context: ComputeContext(pool: WorkerPool(threadCount: threads)))
    model.initializeParameters(seed: 7)
    let random = CounterRandom(seed: 7, stream: .test, item: 9)
    for index in 0..<model.layout.count {
        model.parameters.base[index] += Float(random.normalPair(UInt32(index)).0 * deviation)
    }
    return model
}

/// Returns the same model as a ReferenceGPT.
func reference(of model: GPT) -> ReferenceGPT {
    var configuration = ReferenceConfiguration()
    configuration.layerCount = model.configuration.layerCount
    configuration.headCount = model.configuration.headCount
    configuration.embeddingSize = model.configuration.embeddingSize
    configuration.blockSize = model.configuration.blockSize
    configuration.vocabularySize = model.configuration.vocabularySize
    configuration.bias = model.configuration.bias
    configuration.activation = ReferenceActivation(rawValue: model.configuration.activation.rawValue)!
    var reference = ReferenceGPT(configuration)
    precondition(reference.parameters.count == model.layout.count)
    reference.parameters = model.parameters.elements.map(Double.init)
    return reference
}

func norm(_ values: some Sequence<Double>) -> Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }
