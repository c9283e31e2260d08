import PackagePlugin

/// Writes the commit that is built into a source file of the target, before every build: `buildCommit`, empty outside of a
/// repository.
@main
struct BuildCommit: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: Target) throws -> [Command] {
        let folder = context.pluginWorkDirectoryURL
        // The file is left alone where it says the same, so that nothing is compiled again.
        let script = """
            commit="$(git -C "$1" describe --always --dirty --abbrev=10 --exclude '*' 2> /dev/null)"
            text="let buildCommit = \\"$commit\\""
            [ "$(cat "$2" 2> /dev/null)" = "$text" ] || printf '%s\\n' "$text" > "$2"
            """
        return [
            .prebuildCommand(
                displayName: "commit of the build",
                executable: .init(filePath: "/bin/sh"),
                arguments: [
                    "-c", script, "sh", context.package.directoryURL.path(percentEncoded: false),
                    folder.appending(component: "BuildCommit.swift").path(percentEncoded: false),
                ],
                outputFilesDirectory: folder
            )
        ]
    }
}
