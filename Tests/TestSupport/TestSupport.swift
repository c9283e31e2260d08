// shared by the test targets
