// swift-tools-version: 6.2
import PackageDescription

// Numeric targets stay optimized in debug builds too: without it the tests of the model take minutes instead of seconds. A
// package that depends on a version of this one must not meet such flags.
let isDependency = Context.packageDirectory.contains("/checkouts/")
// A C function must not take large scratch from its caller's stack, which may be small.
let optimizedC: [CSetting] =
    isDependency ? [] : [.unsafeFlags(["-O3", "-Wframe-larger-than=16384"], .when(configuration: .debug))]
let optimizedSwift: [SwiftSetting] = isDependency ? [] : [.unsafeFlags(["-O"], .when(configuration: .debug))]

let package = Package(
    name: "ddp-train",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "ddp-train", targets: ["ddp-train"]),
        .library(name: "Transformer", targets: ["Transformer"]),
        .library(name: "Tokenizers", targets: ["Tokenizers"]),
        .library(name: "Datasets", targets: ["Datasets"]),
        .library(name: "Preparation", targets: ["Preparation"]),
        .library(name: "Training", targets: ["Training"]),
        .library(name: "Configuration", targets: ["Configuration"]),
        .library(name: "Interchange", targets: ["Interchange"]),
        // What those speak of: pools and buffers, ranks, files and errors.
        .library(name: "Compute", targets: ["Compute"]),
        .library(name: "Collectives", targets: ["Collectives"]),
        .library(name: "Formats", targets: ["Formats"]),
        .library(name: "Platform", targets: ["Platform"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
    ],
    targets: [
        .systemLibrary(
            name: "COpenBLAS",
            pkgConfig: "openblas",
            providers: [.apt(["libopenblas-dev"]), .brew(["openblas"])]
        ),
        .target(name: "Platform"),
        .target(name: "CVectorKernels", cSettings: optimizedC),
        .target(
            name: "Compute",
            dependencies: [
                "CVectorKernels", "Platform",
                .target(name: "COpenBLAS", condition: .when(platforms: [.linux])),
            ],
            swiftSettings: optimizedSwift
        ),
        .target(
            name: "Transformer",
            dependencies: ["Compute", "CVectorKernels", "Platform"],
            swiftSettings: optimizedSwift
        ),
        .target(name: "ReferenceGPT", dependencies: ["Platform"], swiftSettings: optimizedSwift),
        .systemLibrary(
            name: "CMPI",
            pkgConfig: "ompi-c",
            providers: [.apt(["libopenmpi-dev"]), .brew(["open-mpi"])]
        ),
        .target(name: "CMPIShim", dependencies: ["CMPI"]),
        .target(
            name: "Collectives",
            dependencies: [
                "CMPIShim", "CVectorKernels", "Platform", .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: optimizedSwift
        ),
        .target(
            name: "Formats",
            dependencies: ["CVectorKernels", "Platform", .product(name: "Crypto", package: "swift-crypto")]
        ),
        .target(name: "Supervision", dependencies: ["Platform"]),
        .systemLibrary(
            name: "CArchive",
            pkgConfig: "libarchive",
            providers: [.apt(["libarchive-dev"]), .brew(["libarchive"])]
        ),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(
            name: "CArchiveShim",
            dependencies: ["CArchive", .target(name: "CZlib", condition: .when(platforms: [.linux]))],
            // Part of every macOS, with its headers.
            linkerSettings: [.linkedLibrary("z", .when(platforms: [.macOS]))]
        ),
        .target(name: "Tokenizers", dependencies: ["Compute", "Formats", "Platform"], swiftSettings: optimizedSwift),
        .target(
            name: "Datasets",
            dependencies: ["Tokenizers", "Compute", "Formats", "Platform"],
            swiftSettings: optimizedSwift
        ),
        .target(name: "ModelFiles", dependencies: ["Transformer", "Compute", "Formats", "Platform"]),
        .target(
            name: "Preparation",
            dependencies: ["CArchiveShim", "Datasets", "Tokenizers", "Compute", "Formats", "Platform"],
            swiftSettings: optimizedSwift
        ),
        .target(name: "Configuration", dependencies: ["Transformer", "Datasets", "Tokenizers", "Formats", "Platform"]),
        .target(
            name: "Training",
            dependencies: [
                "Configuration", "ModelFiles", "Transformer", "Datasets", "Tokenizers", "Collectives", "Compute",
                "Formats", "Platform",
            ],
            swiftSettings: optimizedSwift
        ),
        .target(
            name: "Interchange",
            dependencies: ["ModelFiles", "Transformer", "Tokenizers", "Compute", "Formats", "Platform"]
        ),
        .target(
            name: "Performance",
            dependencies: [
                "Collectives", "Configuration", "Training", "Transformer", "Preparation", "Datasets", "Compute",
                "Formats", "Platform",
            ],
            swiftSettings: optimizedSwift
        ),
        .target(
            name: "Insight",
            dependencies: [
                "Configuration", "Training", "Interchange", "Transformer", "Datasets", "Tokenizers", "Compute",
                "Formats", "Platform",
            ],
            // Style and scripts of the pages stand in the program, which then needs no files beside it.
            resources: [
                .embedInCode("Page/page.css"), .embedInCode("Page/page.js"), .embedInCode("Report/report.js"),
                .embedInCode("Experiments/experiments.css"), .embedInCode("Experiments/experiments.js"),
                .embedInCode("Inspect/inspect.css"), .embedInCode("Inspect/inspect.js"),
                .embedInCode("Inspect/heads.js"), .embedInCode("Inspect/layers.js"),
            ],
            swiftSettings: optimizedSwift
        ),
        .executableTarget(
            name: "ddp-train",
            dependencies: [
                "Insight", "Performance", "Configuration", "Training", "Supervision", "Interchange", "Transformer",
                "Preparation",
                "Datasets", "Tokenizers", "Collectives", "Compute", "Formats", "Platform",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            plugins: ["BuildCommit"]
        ),
        .plugin(name: "BuildCommit", capability: .buildTool(), path: "Sources/BuildCommit"),
        .executableTarget(
            name: "stream-text",
            dependencies: ["Interchange", "Tokenizers", "Transformer", "Compute", "Platform"]
        ),
        .target(name: "TestSupport", dependencies: ["Collectives", "Formats", "Platform"], path: "Tests/TestSupport"),
        .testTarget(name: "ReferenceGPTTests", dependencies: ["ReferenceGPT"]),
        .testTarget(name: "ComputeTests", dependencies: ["Compute", "CVectorKernels", "Platform"]),
        .testTarget(
            name: "TransformerTests",
            dependencies: ["Transformer", "Compute", "ReferenceGPT", "Platform", "TestSupport"]
        ),
        .testTarget(
            name: "CollectivesTests",
            dependencies: ["Collectives", "CMPIShim", "CVectorKernels", "Platform", "TestSupport"],
            swiftSettings: optimizedSwift
        ),
        .testTarget(name: "SupervisionTests", dependencies: ["Supervision", "Platform", "TestSupport"]),
        .testTarget(name: "PlatformTests", dependencies: ["Platform", "TestSupport"]),
        .testTarget(name: "FormatsTests", dependencies: ["Formats", "Platform", "TestSupport"]),
        .testTarget(
            name: "TokenizersTests",
            dependencies: ["Tokenizers", "Compute", "Formats", "Platform", "TestSupport"]
        ),
        .testTarget(
            name: "DatasetsTests",
            dependencies: ["Datasets", "Preparation", "Tokenizers", "Compute", "Formats", "Platform", "TestSupport"]
        ),
        .testTarget(
            name: "PreparationTests",
            dependencies: ["Preparation", "Datasets", "Tokenizers", "Compute", "Formats", "Platform", "TestSupport"]
        ),
        .testTarget(
            name: "ConfigurationTests",
            dependencies: [
                "Configuration", "Transformer", "Preparation", "Datasets", "Tokenizers", "Formats", "Platform",
                "TestSupport",
            ]
        ),
        .testTarget(
            name: "TrainingTests",
            dependencies: [
                "Configuration", "Training", "ModelFiles", "Transformer", "Preparation", "Datasets", "Tokenizers",
                "Collectives", "Formats", "Compute",
                "Platform", "TestSupport",
            ]
        ),
        .testTarget(
            name: "InterchangeTests",
            dependencies: [
                "Interchange", "ModelFiles", "Transformer", "Preparation", "Datasets", "Tokenizers", "Formats",
                "Compute", "Platform", "TestSupport",
            ]
        ),
        .testTarget(
            name: "InsightTests",
            dependencies: [
                "Insight", "Interchange", "Configuration", "Training", "Transformer", "Preparation", "Datasets",
                "Tokenizers", "Compute",
                "Formats", "Platform", "TestSupport",
            ]
        ),
        .testTarget(
            name: "PerformanceTests",
            dependencies: [
                "Performance", "Collectives", "Configuration", "Training", "Transformer", "Datasets", "Compute",
                "Formats",
                "Platform", "TestSupport",
            ]
        ),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "ddp-train", "stream-text", "Configuration", "Training", "Formats", "Platform", "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            exclude: ["Snapshots"]
        ),
    ]
)
