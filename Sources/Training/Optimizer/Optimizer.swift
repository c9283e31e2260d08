import Configuration
import Compute
import Transformer

/// Updates the parameters of a model: groups of tensors, each with an update rule, and the state that the rules keep.
///
/// ```swift
/// let optimizer = Optimizer(layout: model.layout, configuration: configuration)
/// optimizer.update(
///     1, parameters: model.parameters, gradients: model.gradients, learningRate: 1e-3, gradientScale: 1, context: model.context
/// )
/// ```
public final class Optimizer {
    /// Tensors that one rule updates.
    package struct Group {
        package let rule: any UpdateRule
        package let tensors: [ParameterLayout.Tensor]
    }

    /// What the rules keep between updates.
    public let state: OptimizerState
    package let groups: [Group]

    /// The optimizer that a run's options ask for, before its first update.
    public convenience init(layout: ParameterLayout, configuration: TrainingConfiguration) {
        self.init(layout: layout, routes: configuration.updateRoutes)
    }

    /// - Precondition: the routes have each role of the layout's tensors once.
    package init(layout: ParameterLayout, routes: [UpdateRoute]) {
        groups = Self.groups(layout, routes)
        state = OptimizerState(layout: layout, slots: Self.slots(layout, routes))
    }

    /// Bytes of the state that the optimizer of a run keeps; nothing is allocated.
    public static func stateBytes(layout: ParameterLayout, configuration: TrainingConfiguration) -> Int {
        slots(layout, configuration.updateRoutes).reduce(0) { bytes, slot in
            bytes + slot.tensors.reduce(0) { $0 + $1.range.count * MemoryLayout<Float>.stride }
        }
    }

    /// One update of all parameters.
    ///
    /// - Parameters:
    ///   - number: of the update, counted from 1.
    ///   - parameters: changed in place; `layout.count` of them, as gradients.
    ///   - gradientScale: multiplies each gradient first (clipping).
    public func update(
        _ number: Int,
        parameters: borrowing FloatBuffer,
        gradients: borrowing FloatBuffer,
        learningRate: Double,
        gradientScale: Float,
        context: ComputeContext
    ) {
        precondition(parameters.count == state.layout.count && gradients.count == state.layout.count)
        precondition(number >= 1, "update \(number): updates are counted from 1")
        for group in groups {
            let slots = type(of: group.rule).slots.map { name in state[name]!.values.base }
            group.rule.update(
                group.tensors,
                ParameterUpdate(
                    number: number,
                    learningRate: learningRate,
                    gradientScale: gradientScale,
                    parameters: parameters.base,
                    gradients: UnsafePointer(gradients.base),
                    slots: slots,
                    context: context
                )
            )
        }
    }

    private static func groups(_ layout: ParameterLayout, _ routes: [UpdateRoute]) -> [Group] {
        for tensor in layout.tensors {
            let count = routes.filter { $0.roles.contains(tensor.role) }.count
            precondition(count == 1, "\(count) rules update \(tensor.name)")
        }
        return routes.map { route in
            Group(rule: route.rule, tensors: layout.tensors.filter { route.roles.contains($0.role) })
        }
    }

    /// Slots in the order of the routes; rules that share a name share the slot.
    private static func slots(
        _ layout: ParameterLayout,
        _ routes: [UpdateRoute]
    ) -> [(name: String, tensors: [ParameterLayout.Tensor])] {
        var names: [String] = []
        for name in routes.flatMap({ type(of: $0.rule).slots }) where !names.contains(name) { names.append(name) }
        return names.map { name in
            let users = routes.filter { type(of: $0.rule).slots.contains(name) }
            return (name, layout.tensors.filter { tensor in users.contains { $0.roles.contains(tensor.role) } })
        }
    }
}
