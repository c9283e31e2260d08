// filled by its first feature
