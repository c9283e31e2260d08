import Compute
import Testing
import Transformer

@testable import Training

@Suite("AdamW and clipping")
struct AdamWTests {
    /// A (2, 2) matrix, which decays, and a vector of 2, which does not.
    static let layout = ParameterLayout(
        GPTConfiguration(layerCount: 0, headCount: 1, embeddingSize: 2, blockSize: 0, vocabularySize: 2)
    )

    private static func optimizer(_ rule: AdamW, _ layout: ParameterLayout = layout) -> Optimizer {
        Optimizer(layout: layout, routes: [UpdateRoute(rule)])
    }

    /// torch.optim.AdamW (2.13) with torch.nn.utils.clip_grad_norm_(…, 1.0) on the same numbers: lr 1e-2 t, betas (0.9,
    /// 0.95), eps 1e-8, weight decay 0.1 on the matrix.
    @Test("Three clipped updates agree with PyTorch's to float precision")
    func threeUpdates() {
        let gradients: [[Float]] = [
            [0.25, -0.5, 1.0, 0.0, 0.125, 3.0],
            [-0.75, 0.5, 0.001, 2.0, 0.0, -1.0],
            [0.3, 0.2, 0.1, -0.4, 1e-4, 0.5],
        ]
        let norms = [3.213740110397339, 2.4109129905700684, 0.741619884967804]
        let expected: [[Float]] = [
            [0.489500016, -1.23874998, 1.98800004, 0.0312187504, 0.99000001, -0.50999999],
            [0.499588102, -1.24012673, 1.97043097, 0.0164571144, 0.976427078, -0.516252875],
            [0.494503081, -1.25161147, 1.94340515, 0.00922400504, 0.960435152, -0.531321347],
        ]
        let pool = WorkerPool(threadCount: 1)
        let optimizer = Self.optimizer(AdamW(beta1: 0.9, beta2: 0.95, weightDecay: 0.1))
        let parameters = buffer([0.5, -1.25, 2.0, 0.03125, 1.0, -0.5])
        for update in 1...3 {
            let gradient = buffer(gradients[update - 1])
            let norm = GradientNorm.measure(gradient, context: ComputeContext(pool: pool))
            #expect(abs(norm - norms[update - 1]) < 1e-6)
            optimizer.update(
                update,
                parameters: parameters,
                gradients: gradient,
                learningRate: 1e-2 * Double(update),
                gradientScale: GradientNorm.clippingScale(norm: norm, maximum: 1),
                context: ComputeContext(pool: pool)
            )
            for index in 0..<6 {
                let (got, want) = (parameters.base[index], expected[update - 1][index])
                #expect(abs(got - want) <= 2e-7 * max(1, abs(want)), "update \(update), element \(index)")
            }
        }
        let moments: [Float] = [0.00830338709, 0.0260629859, 0.0352416001, 0.0346604846, 0.00316053396, 0.0882825702]
        let squares: [Float] = [0.00936984085, 0.00513529265, 0.00486914301, 0.0406881422, 6.8268237e-05, 0.0599942468]
        let (first, second) = (optimizer.state["exp_avg"]!, optimizer.state["exp_avg_sq"]!)
        for index in 0..<6 {
            // A few units in the last place of the largest of them.
            #expect(abs(first.values.base[index] - moments[index]) < 3e-8)
            #expect(abs(second.values.base[index] - squares[index]) < 3e-8)
        }
    }

    @Test("Only tensors of two or more dimensions decay")
    func decay() {
        let optimizer = Self.optimizer(AdamW(weightDecay: 0.5))
        let parameters = buffer([1, 1, 1, 1, 1, 1])
        optimizer.update(
            1,
            parameters: parameters,
            gradients: buffer([Float](repeating: 0, count: 6)),
            learningRate: 0.5,
            gradientScale: 1,
            context: ComputeContext(pool: WorkerPool(threadCount: 1))
        )
        #expect(values(parameters) == [0.75, 0.75, 0.75, 0.75, 1, 1])
    }

    @Test("Clipping follows clip_grad_norm_: max / (norm + 1e-6) above the maximum, 1 below it or when off")
    func clipping() {
        #expect(GradientNorm.clippingScale(norm: 4, maximum: 1) == Float(1 / (4 + 1e-6)))
        #expect(GradientNorm.clippingScale(norm: 0.5, maximum: 1) == 1)
        #expect(GradientNorm.clippingScale(norm: 4, maximum: 0) == 1)
        #expect(GradientNorm.clippingScale(norm: 0, maximum: 1) == 1)
    }

    @Test("The norm and the update have the same bits with 1, 2 and 3 threads", arguments: [2, 3])
    func threads(count: Int) {
        let layout = ParameterLayout(
            GPTConfiguration(layerCount: 1, headCount: 1, embeddingSize: 72, blockSize: 8, vocabularySize: 3001)
        )
        func run(_ threads: Int) -> (UInt64, [UInt32]) {
            let pool = WorkerPool(threadCount: threads)
            let parameters = randomBuffer(layout.count, seed: 1)
            let gradients = randomBuffer(layout.count, seed: 2)
            let norm = GradientNorm.measure(gradients, context: ComputeContext(pool: pool))
            let optimizer = Self.optimizer(AdamW(), layout)
            for update in 1...2 {
                optimizer.update(
                    update,
                    parameters: parameters,
                    gradients: gradients,
                    learningRate: 1e-3,
                    gradientScale: GradientNorm.clippingScale(norm: norm, maximum: 1),
                    context: ComputeContext(pool: pool)
                )
            }
            return (norm.bitPattern, values(parameters).map(\.bitPattern))
        }
        let one = run(1)
        let many = run(count)
        #expect(one.0 == many.0)
        #expect(one.1 == many.1)
    }

    @Test("The norm is that of all elements, and not finite when one of them is not")
    func norm() {
        let pool = WorkerPool(threadCount: 2)
        let gradients = FloatBuffer(count: 200_003)
        gradients.elements.update(repeating: 0.5)
        #expect(
            abs(
                GradientNorm.measure(gradients, context: ComputeContext(pool: pool)) - 0.5
                    * Double(200_003).squareRoot()
            ) < 1e-9
        )
        gradients.base[200_002] = .infinity
        #expect(GradientNorm.measure(gradients, context: ComputeContext(pool: pool)) == .infinity)
        gradients.base[70_000] = .nan
        #expect(GradientNorm.measure(gradients, context: ComputeContext(pool: pool)).isNaN)
    }
}
