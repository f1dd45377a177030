"""haq beside the tools that users would pick instead: what each finds, and how long it takes."""
