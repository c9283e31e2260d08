import Formats
import Foundation
import Platform
import TestSupport
import Testing
import Transformer

@testable import Interchange

/// The forms in which common scripts save a GPT with PyTorch. Tests/Fixtures/torch has the model of
/// cases/models/ckpt-good in each form, and the script that made them.
@Suite("PyTorch files")
struct TorchFormsTests {
    private static let fixtures = Goldens.fixtures + "/torch"
    private static let loss = 1.5479

    @Test(
        "weights are read regardless of the other objects in the file",
        arguments: [
            "dtype", "set", "numpy-scalar", "path", "same-dict-twice", "long-integer", "dataclass-beside-args",
            "float64",
            "legacy-format", "prefix-module", "good",
        ]
    )
    func cases(name: String) throws {
        try Cases.expect("\(Cases.models)/ckpt-\(name)/ckpt.pt", loss: Self.loss)
    }

    @Test(
        "a model in any form has the loss of PyTorch",
        arguments: [
            ("everything", loss), ("everything-legacy", loss), ("strided", 1.4827), ("strided-legacy", 1.4827),
            ("legacy-views", loss), ("legacy-1", loss), ("legacy-4", loss), ("zip-1", loss), ("zip-4", loss),
            ("zip-5", loss),
            ("float16", 1.5480), ("bfloat16", 1.5478), ("wrapped", loss), ("numpy-arguments", loss),
        ]
    )
    func forms(name: String, loss: Double) throws {
        try Cases.expect("\(Self.fixtures)/\(name).pt", loss: loss)
    }

    @Test("a model without model_args gets its shape from config, and a notice has the assumed GELU")
    func config() throws {
        try Cases.expect(
            Cases.models + "/ckpt-dataclass-only/ckpt.pt",
            loss: 1.8697,
            notices: ["has no model_args; using the shape in its config and the tanh GELU, as in build-nanogpt"]
        )
        try Cases.expect(Self.fixtures + "/config.pt", loss: Self.loss, notices: ["and the exact GELU, as in nanoGPT"])
    }

    @Test("a tied model that was saved with only its head is read with a notice")
    func onlyHead() throws {
        try Cases.expect(
            Self.fixtures + "/only-head.pt",
            loss: Self.loss,
            notices: ["has no transformer.wte.weight; using lm_head.weight as the token embedding too"]
        )
    }

    @Test(
        "a state_dict is read if the number of heads is given",
        arguments: ["state-dict", "state-dict-named", "transformer"]
    )
    func stateDictionary(name: String) throws {
        let path = "\(Self.fixtures)/\(name).pt"
        let source = try PretrainedModel(path: path, headCount: 1)
        #expect(
            source.notices.first?.contains("n_head=1 as given, and the exact GELU") == true,
            "\(source.notices)"
        )
        let found = try Cases.loss(Goldens.load(source))
        #expect(abs(found - Self.loss) < 6e-5, "loss \(found)")
        let refusals: [(Int?, UserError.Kind, String)] = [
            (
                nil, .usage,
                "the number of attention heads cannot be derived from weights; pass --n_head (the width is 8,"
            ),
            (3, .data, "n_embd=8 is not a multiple of n_head=3"),
            (0, .usage, "pass --n_head"),
        ]
        for (headCount, kind, message) in refusals {
            let error = #expect(throws: UserError.self) { try PretrainedModel(path: path, headCount: headCount) }
            #expect(error?.kind == kind && error?.message.contains(message) == true, "\(String(describing: error))")
        }
    }

    @Test(
        "a file that is not supported is refused with the reason",
        arguments: [
            (
                "module",
                "its content is an object of __main__.GPT, not a state_dict (no code in it was run); save the result"
            ),
            (
                "module-inside",
                "its model is an object of __main__.GPT, not a state_dict (no code in it was run); save the result"
            ),
            (
                "sparse",
                "entry \"transformer.wpe.weight\" of its model is an object of torch._utils._rebuild_sparse_tensor"
            ),
            (
                "negative",
                "entry \"transformer.wpe.weight\" of its model is an object of torch._utils._rebuild_tensor_v2"
            ),
            (
                "float8",
                "tensor transformer.wpe.weight is float8_e4m3fn, not float64, float32, float16 or bfloat16"
            ),
            (
                "twice",
                "has transformer.wpe.weight twice, as module.transformer.wpe.weight and as transformer.wpe.weight"
            ),
            ("huge", "bytes, but its tensors have more than"),
        ]
    )
    func refused(name: String, message: String) throws {
        let error = #expect(throws: UserError.self) { try Goldens.load("\(Self.fixtures)/\(name).pt") }
        #expect(error?.kind == .data && error?.message.contains(message) == true, "\(String(describing: error))")
    }

    @Test("a truncated file in the format before PyTorch 1.6 is refused")
    func cutShort() throws {
        let folder = try TemporaryFolder()
        let whole = try FileSystem.read(Cases.models + "/ckpt-legacy-format/ckpt.pt")
        for length in stride(from: 0, to: whole.count, by: 61) {
            try Data(whole[..<length]).write(to: URL(fileURLWithPath: folder("ckpt.pt")))
            #expect(throws: UserError.self, "\(length) bytes") { try PretrainedModel(path: folder("ckpt.pt")) }
        }
    }

    /// Returns a file in the format before PyTorch 1.6, with text pickles of protocol 0 and one tensor in a storage of
    /// 4 elements.
    private func legacyFile(count: Int, view: (start: Int, count: Int), shape: [Int], strides: [Int]) -> [UInt8] {
        func tuple(_ sizes: [Int]) -> String { "(" + sizes.map { "I\($0)\n" }.joined() + "t" }
        let storage =
            "(Vstorage\nctorch\nFloatStorage\nV7\nVcpu\nI\(count)\n(Vkey\nI\(view.start)\nI\(view.count)\nttQ"
        let tensor =
            "ctorch._utils\n_rebuild_tensor_v2\n(\(storage)I0\n\(tuple(shape))\(tuple(strides))I00\nNtR"
        let pickles = [
            "L119547037146038801333356L\n", "I1001\n", "(dVlittle_endian\nI01\ns", "(dVa\n\(tensor)s", "(lV7\na",
        ]
        let elements: [Float] = [1, 2, 3, 4]
        return pickles.flatMap { Array("\($0).".utf8) } + [4, 0, 0, 0, 0, 0, 0, 0]
            + elements.withUnsafeBytes { Array($0) }
    }

    @Test("sizes that do not match the file are refused before they are used")
    func hostileSizes() throws {
        let (large, folder) = (1 << 62, try TemporaryFolder())
        let cases: [(count: Int, view: (Int, Int), shape: [Int], strides: [Int], refusal: String?)] = [
            (4, (0, 4), [2, 2], [1, 2], nil), (4, (1, 3), [3], [1], nil), (4, (0, 4), [0, large, 4], [1, 1, 1], nil),
            (large, (large, 0), [0], [1], "goes beyond the 16 bytes"),
            (4, (1, 3), [4], [1], "goes beyond the 16 bytes"),
            (4, (0, 4), [2], [large], "goes beyond the 16 bytes"), (4, (0, 4), [3, 3], [large, large], "goes beyond"),
            (4, (0, 4), [large, 4], [0, 0], "its tensors have more than"),
            (large, (0, large), [5], [1], "goes beyond the 16 bytes"),
            (4, (3, 2), [1], [1], "no tensor gives the element type of storage"),
        ]
        for (count, view, shape, strides, refusal) in cases {
            let bytes = legacyFile(count: count, view: view, shape: shape, strides: strides)
            try AtomicFile.write(bytes, to: folder("file.pt"))
            do {
                let file = try TorchFile(path: folder("file.pt"))
                let tensor = try TorchTensors(file.value, named: "it", of: file).tensor(named: "a")
                #expect(refusal == nil && tensor?.shape == shape, "\(shape) by \(strides)")
            } catch let error as UserError {
                #expect(refusal.map { error.message.contains($0) } == true, "\(shape) by \(strides): \(error)")
            }
        }
    }

    @Test("the elements of a tensor with any strides are read in row-major order")
    func strides() {
        let values = (0..<24).map { Float($0) }
        let cases: [(shape: [Int], strides: [Int], expected: [Float])] = [
            ([2, 3], [3, 1], [0, 1, 2, 3, 4, 5]), ([2, 3], [1, 2], [0, 2, 4, 1, 3, 5]),
            ([2, 2], [0, 0], [0, 0, 0, 0]),
            ([2, 2], [5, 0], [0, 0, 5, 5]), ([2, 2, 2], [1, 4, 10], [0, 10, 4, 14, 1, 11, 5, 15]),
            ([3], [7], [0, 7, 14]),
            ([1, 3], [99, 1], [0, 1, 2]), ([], [], [0]), ([0, 4], [4, 1], []),
        ]
        values.withUnsafeBytes { bytes in
            for (shape, strides, expected) in cases {
                let tensor = StoredTensor(shape: shape, encoding: .float32, bytes: bytes, strides: strides)
                for start in 0...expected.count {
                    var found = [Float](repeating: -1, count: expected.count - start)
                    found.withUnsafeMutableBufferPointer { tensor.decode(from: start, into: $0) }
                    #expect(found == Array(expected[start...]), "\(shape) by \(strides) from \(start)")
                }
            }
        }
    }

    @Test("equal values are equal regardless of encoding and strides")
    func equality() {
        let (single, double): ([Float], [Double]) = ([1, 2, 3, 4], [1, 3, 2, 4])
        single.withUnsafeBytes { first in
            double.withUnsafeBytes { second in
                let a = StoredTensor(shape: [2, 2], encoding: .float32, bytes: first)
                #expect(
                    a.hasValues(of: StoredTensor(shape: [2, 2], encoding: .float64, bytes: second, strides: [1, 2]))
                )
                #expect(!a.hasValues(of: StoredTensor(shape: [2, 2], encoding: .float64, bytes: second)))
                #expect(
                    !a.hasValues(of: StoredTensor(shape: [2, 2], encoding: .float32, bytes: first, strides: [1, 2]))
                )
            }
        }
    }
}
