import Configuration
import Transformer

/// An update rule and the roles of the tensors that it updates.
package struct UpdateRoute {
    package let rule: any UpdateRule
    package let roles: Set<ParameterRole>

    package init(_ rule: any UpdateRule, for roles: some Sequence<ParameterRole> = ParameterRole.allCases) {
        self.rule = rule
        self.roles = Set(roles)
    }
}

extension TrainingConfiguration {
    /// Which rule updates which tensors. A second rule takes some of the roles here.
    var updateRoutes: [UpdateRoute] { [UpdateRoute(AdamW(self))] }
}
