extension Experiment {
    /// Every experiment, in the order in which data passes through the model.
    package static let all = [
        Experiment(
            "positions",
            "Position embeddings",
            """
            Attention itself ignores the order of tokens. Without position embeddings, the model learns about order \
            only from the causal mask. Rotary and ALiBi change the attention scores by distance; learned embeddings \
            add a vector to the residual stream.
            """,
            [
                ("no positions", [("position_embedding", "none")]),
                ("rotary", [("position_embedding", "rotary")]),
                ("ALiBi", [("position_embedding", "alibi")]),
            ]
        ),
        Experiment(
            "norm",
            "Normalization",
            """
            LayerNorm scales each token's features to mean 0 and variance 1 before attention and MLP. RMSNorm does not \
            subtract the mean. Post-norm normalizes the residual stream itself, as the first transformers did. Without \
            normalization, nothing limits the size of activations.
            """,
            focus: .depth,
            [
                ("RMSNorm", [("norm", "rmsnorm")]),
                ("post-norm", [("norm_position", "post")]),
                ("no norm", [("norm", "none")]),
            ]
        ),
        Experiment(
            "mask",
            "The causal mask",
            """
            Without the mask, each position sees the token that it has to predict. The training loss looks excellent, \
            but the model has only learned to copy.
            """,
            [("no mask", [("causal_mask", "false")])]
        ),
        Experiment(
            "temperature",
            "Attention temperature",
            """
            Scores are divided by sqrt(D) so that their spread does not grow with the head size D. A higher \
            temperature makes the attention weights more uniform. A lower one concentrates them on one position.
            """,
            [
                ("temperature 0.1", [("attention_temperature", "0.1")]),
                ("temperature 10", [("attention_temperature", "10")]),
                ("temperature 1000", [("attention_temperature", "1000")]),
            ]
        ),
        Experiment(
            "window",
            "Attention window",
            """
            With a window, each position sees only the last few positions, which costs less. Sinks are the first \
            positions, which stay visible; heads put their unused attention there. With a window of 1, each position \
            sees only itself and can only learn which token follows which.
            """,
            [
                ("window 1", [("attention_window", "1")]),
                ("window 4", [("attention_window", "4")]),
                ("window 4, 2 sinks", [("attention_window", "4"), ("attention_sinks", "2")]),
            ]
        ),
        Experiment(
            "attention",
            "Tiled and plain attention",
            """
            Plain attention holds all (T, T) scores of a head in memory. Tiled attention holds one block of rows and \
            skips the tiles above the diagonal. The results are the same.
            """,
            focus: .cost,
            [("plain", [("attention", "plain")])]
        ),
        Experiment(
            "heads",
            "Removing heads",
            "How much the loss of the trained baseline rises when one head's output is set to zero, without further training.",
            focus: .heads,
            []
        ),
        Experiment(
            "residual",
            "Residual connections",
            """
            With x + f(x), the gradient has a direct path to every block. Without the connection, the gradient and the \
            information about the input token have to pass through every f. With norms, the damage appears during \
            training. Without norms, almost no gradient reaches the first block even before training.
            """,
            focus: .depth,
            [
                ("no residual", [("residual", "none")]),
                ("no residual, no norm", [("residual", "none"), ("norm", "none")]),
                ("only around attention", [("residual", "attention")]),
                ("only around the MLP", [("residual", "mlp")]),
            ]
        ),
        Experiment(
            "activation",
            "The MLP's nonlinearity",
            "The function between the two layers of the MLP: smooth or with a kink, squared or not.",
            [
                ("gelu_tanh", [("activation", "gelu_tanh")]),
                ("relu", [("activation", "relu")]),
                ("relu_squared", [("activation", "relu_squared")]),
                ("silu", [("activation", "silu")]),
            ]
        ),
        Experiment(
            "head",
            "Untied output head",
            "GPT-2's output head shares its weights with the token embedding. An untied head has weights of its own, so it can learn different vectors.",
            [("untied head", [("tied_head", "false")])]
        ),
        Experiment(
            "decay",
            "Weight decay",
            "With every step, AdamW moves matrices and embeddings slightly toward zero.",
            [("no weight decay", [("weight_decay", "0")])]
        ),
        Experiment(
            "warmup",
            "Warm-up",
            "Adam's first steps are as long as later ones, but their direction depends on very few batches. Warm-up starts with a small learning rate.",
            [("no warm-up", [("warmup_iters", "0")])]
        ),
    ]
}
