import Platform
import TestSupport
import Testing
import Training

@testable import Insight

@Suite("Page destinations") struct PageDestinationTests {
    @Test("a file that ddp-train did not make is replaced only with overwrite, and a folder or device never")
    func replacing() throws {
        let folder = try TemporaryFolder()
        let page = folder.path + "/page.html"
        #expect(try PageDestination.checkWithNumbers(page, overwrite: false) == folder.path + "/page.json")
        // A foreign JSON file, and no page.
        try AtomicFile.write("{}", to: folder.path + "/page.json")
        #expect(throws: UserError.self) { try PageDestination.checkWithNumbers(page, overwrite: false) }
        #expect(throws: Never.self) { try PageDestination.checkWithNumbers(page, overwrite: true) }
        try AtomicFile.write("mine", to: page)
        #expect(throws: UserError.self) { try PageDestination.check(page, overwrite: false) }
        // A page of ddp-train with its JSON file.
        try AtomicFile.write(HTMLPage(title: "ours", script: [], data: .null).text, to: page)
        #expect(throws: Never.self) { try PageDestination.checkWithNumbers(page, overwrite: false) }
        for path in [folder.path, "/dev/full", folder.path + "/numbers.json"] {
            #expect(throws: UserError.self, "\(path)") { try PageDestination.checkWithNumbers(path, overwrite: true) }
        }
        try FileSystem.createFolder(folder.path + "/folder.html")
        #expect(throws: UserError.self) { try PageDestination.check(folder.path + "/folder.html", overwrite: true) }
    }
}
