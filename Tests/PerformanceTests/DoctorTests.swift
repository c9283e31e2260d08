import Collectives
import Formats
import Foundation
import Platform
import TestSupport
import Testing

@testable import Performance

@Suite("Checks of build and machine")
struct DoctorTests {
    private func examine(dataDir: String = "data", outDir: String) -> DoctorReport {
        Doctor(version: "1.2.3", dataDir: dataDir, outDir: outDir, threads: 1).examine()
    }

    @Test("Every finding has a member in the JSON object, in order")
    func keys() throws {
        let folder = try TemporaryFolder()
        let report = examine(outDir: folder("out"))
        let members = try JSONValue(parsing: Array(report.json.text().utf8))
        guard case .object(let list) = members else { throw CocoaError(.coderInvalidValue) }
        #expect(
            list.map(\.name) == [
                "version", "build_mode", "blas", "products_right", "vector_instructions", "cores",
                "memory_available_bytes", "threads", "gemm_peak_gflops", "copy_bytes_per_second", "mpi",
                "network_interfaces", "curl", "libarchive", "data_dir", "out_dir", "cache", "problems", "ok",
            ]
        )
        #expect(members["version"]?.stringValue == "1.2.3")
        #expect(members["products_right"] == .bool(true))
        #expect(members["mpi"]?["linked"] == .bool(MPILibrary.isBuiltIn))
        #expect(members["blas"]?["library"]?.stringValue?.isEmpty == false)
        #expect(report.isFine, "\(report.text)")
        #expect(report.text.split(separator: "\n").count >= report.findings.count)
    }

    @Test("An output folder that is not writable is broken; other folders are only missing")
    func folders() throws {
        let folder = try TemporaryFolder()
        try Data().write(to: URL(fileURLWithPath: folder("file")))
        let report = examine(dataDir: folder("file"), outDir: folder("file"))
        func finding(_ key: String) throws -> Finding { try #require(report.findings.first { $0.key == key }) }
        #expect(try finding("out_dir").state == .broken)
        #expect(try finding("out_dir").advice?.contains("--out_dir") == true)
        #expect(try finding("data_dir").state == .missing)
        #expect(!report.isFine)
        #expect(report.text.contains("-> broken: the folder is not writable"))
        #expect(report.json["ok"] == .bool(false))
        #expect(report.json["problems"]?.arrayValue?.contains { $0["what"]?.stringValue == "out_dir" } == true)
    }

    @Test("A build without libarchive is acceptable, but says what it cannot read")
    func archives() {
        #expect(Doctor.archives(isBuiltIn: true).state == .fine)
        let finding = Doctor.archives(isBuiltIn: false)
        #expect(finding.state == .missing)
        #expect(
            DoctorReport([finding]).text.hasPrefix(
                "libarchive  not built in\n            -> to prepare compressed text"
            )
        )
    }

    @Test("Only broken findings fail a report")
    func states() {
        let fine = Finding("a", "A", "1")
        let missing = Finding("b", "B", "2", state: .missing, advice: "get b")
        #expect(DoctorReport([fine, missing]).isFine)
        #expect(DoctorReport([fine, missing]).text == "A  1\nB  2\n   -> get b\n")
        #expect(!DoctorReport([fine, Finding("c", "C", "3", state: .broken, advice: "fix c")]).isFine)
    }

    @Test("MPI's library and launcher must be present and have the same version")
    func mpi() {
        let (library, path) = ("Open MPI v4.1.4", "/usr/bin/mpirun")
        let fine = Doctor.mpi(linked: library, mpirun: path, versionLine: "mpirun (Open MPI) 4.1.4")
        #expect(fine.state == .fine && fine.advice == nil)
        #expect(fine.text == "Open MPI v4.1.4 linked; /usr/bin/mpirun: mpirun (Open MPI) 4.1.4")
        #expect(fine.value["linked"] == .bool(true) && fine.value["same_version"] == .bool(true))

        let other = Doctor.mpi(linked: library, mpirun: path, versionLine: "mpirun (Open MPI) 5.0.1")
        #expect(other.state == .missing && other.value["same_version"] == .bool(false))
        #expect(other.advice?.contains("the mpirun of Open MPI v4.1.4 first on the PATH") == true)
        let otherKind = Doctor.mpi(linked: library, mpirun: path, versionLine: "HYDRA build details:")
        #expect(otherKind.value["same_version"] == .bool(false))
        let silent = Doctor.mpi(linked: library, mpirun: path, versionLine: nil)
        #expect(silent.state == .fine && silent.value["same_version"] == .null)

        let absent = Doctor.mpi(linked: nil, mpirun: path, versionLine: "mpirun (Open MPI) 4.1.4")
        #expect(absent.state == .missing && absent.text.hasPrefix("not built in; "))
        #expect(absent.advice?.contains("then swift build again") == true)
        #expect(absent.value["linked"] == .bool(false) && absent.value["library"] == .null)
        let noLauncher = Doctor.mpi(linked: library, mpirun: nil, versionLine: nil)
        #expect(noLauncher.state == .missing && noLauncher.text == "Open MPI v4.1.4 linked; no mpirun on the PATH")
    }

    @Test("The version is the first line of --version")
    func versionLine() throws {
        let folder = try TemporaryFolder()
        let path = folder("it's a tool")
        try Data("#!/bin/sh\necho \"tool 1.2 $1\"\necho more\n".utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        #expect(Surroundings.firstLine(ofVersion: path) == "tool 1.2 --version")
        #expect(Surroundings.firstLine(ofVersion: folder("none")) == nil)
    }

    @Test("A program is found in the folders of PATH if it is executable")
    func programs() throws {
        let folder = try TemporaryFolder()
        for name in ["a", "b"] { try FileSystem.createFolder(folder(name)) }
        try Data().write(to: URL(fileURLWithPath: folder("a/tool")))
        try Data().write(to: URL(fileURLWithPath: folder("b/tool")))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder("b/tool"))
        #expect(Surroundings.program("tool", path: "\(folder("a")):\(folder("b"))") == folder("b/tool"))
        #expect(Surroundings.program("tool", path: folder("a")) == nil)
        #expect(Surroundings.program("tool", path: nil) == nil)
        #expect(Surroundings.program("a", path: folder.path) == nil, "a folder is not a program")
    }

    @Test("The command that installs a package depends on the package manager")
    func installation() {
        let packages = ["apt-get": "libx-dev", "brew": "x"]
        #expect(Surroundings.installation(packages) { $0 == "apt-get" } == "sudo apt-get install libx-dev")
        #expect(Surroundings.installation(packages) { $0 == "brew" } == "brew install x")
        #expect(Surroundings.installation(packages) { $0 == "dnf" } == nil)
    }

    @Test("The nearest folder of a path is the first that exists")
    func nearestFolder() throws {
        let folder = try TemporaryFolder()
        #expect(FileSystem.nearestFolder(to: folder("x/y/z")) == folder.path)
        #expect(FileSystem.nearestFolder(to: "no/such") == ".")
        #expect(FileSystem.nearestFolder(to: "/no/such") == "/")
        #expect(FileSystem.nearestFolder(to: "") == ".")
        #expect(try FileSystem.freeBytes(at: folder("x")) > 0)
        #expect(try #require(StorageSpeed.measure(folder: folder("x"))) > 0)
        #expect(try FileSystem.names(inFolder: folder.path).isEmpty)
    }

    @Test("The interfaces include loopback with an address")
    func interfaces() throws {
        let all = NetworkInterface.all()
        #expect(all.contains { $0.isLoopback })
        #expect(all.allSatisfy { !$0.addresses.isEmpty && !$0.name.isEmpty })
        #expect(
            all.filter(\.isLoopback).allSatisfy { $0.addresses.contains("127.0.0.1") || $0.addresses.contains("::1") }
        )
    }
}
