extension Experiment {
    /// Every experiment, in the order in which data pass through the model.
    package static let all = [
        Experiment(
            "positions",
            "Where a token stands",
            """
            Attention itself does not know order: without position embeddings only the causal mask tells early from late. \
            Rotary and ALiBi put distance into the scores instead of a vector into the stream.
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
            LayerNorm brings each token to mean 0 and variance 1 before attention and MLP. RMSNorm leaves the mean alone; post-norm \
            normalizes the stream itself, as the first transformers did; without any, nothing keeps activations in range.
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
            Without it, each position sees the very token that it is to predict, one place to its right. Training looks \
            splendid, and the model has learned to copy.
            """,
            [("no mask", [("causal_mask", "false")])]
        ),
        Experiment(
            "temperature",
            "Attention temperature",
            """
            Scores are divided by sqrt(D) so that their spread does not grow with the head's size. Dividing by more flattens the weights towards \
            an average over everything; by less sharpens them towards one position.
            """,
            [
                ("temperature 0.1", [("attention_temperature", "0.1")]),
                ("temperature 10", [("attention_temperature", "10")]),
                ("temperature 1000", [("attention_temperature", "1000")]),
            ]
        ),
        Experiment(
            "window",
            "A window of attention",
            """
            A query that sees only the last few positions costs less; sinks, the first positions kept in sight, give heads that want to \
            look nowhere a place to look. A window of one leaves each token alone: what it then predicts are pairs.
            """,
            [
                ("window 1", [("attention_window", "1")]),
                ("window 4", [("attention_window", "4")]),
                ("window 4, 2 sinks", [("attention_window", "4"), ("attention_sinks", "2")]),
            ]
        ),
        Experiment(
            "attention",
            "Tiled against plain attention",
            """
            Plain attention holds all (T, T) scores of a head at once; tiled attention a block of rows, and nothing above the \
            diagonal's tiles. The result is the same.
            """,
            focus: .cost,
            [("plain", [("attention", "plain")])]
        ),
        Experiment(
            "heads",
            "Each head taken out",
            "The trained baseline with one head's output set to zero, nothing trained again: how much the others miss it.",
            focus: .heads,
            []
        ),
        Experiment(
            "residual",
            "Residual connections",
            """
            With x + f(x) a gradient reaches every block unchanged beside what f does to it. Without, it passes through each f in \
            turn, and so does what the token was. With norms that takes training to show; without them next to nothing arrives from the very start.
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
            "Smooth or with a corner, squared or not: what stands between the MLP's two layers.",
            [
                ("gelu_tanh", [("activation", "gelu_tanh")]),
                ("relu", [("activation", "relu")]),
                ("relu_squared", [("activation", "relu_squared")]),
                ("silu", [("activation", "silu")]),
            ]
        ),
        Experiment(
            "head",
            "An output head of its own",
            "GPT-2's output head is the token embedding once more; an untied one may say of a token what its embedding does not.",
            [("untied head", [("tied_head", "false")])]
        ),
        Experiment(
            "decay",
            "Weight decay",
            "AdamW draws matrices and embeddings towards zero a little with each step.",
            [("no weight decay", [("weight_decay", "0")])]
        ),
        Experiment(
            "warmup",
            "Warm-up",
            "Adam's first steps are as long as any later one, in a direction that a single batch decides: hence a slow start.",
            [("no warm-up", [("warmup_iters", "0")])]
        ),
    ]
}
