from device_agent.measuring.device import cpu_model, instruction_sets, read_cpuinfo

X86 = """processor\t: 0
model name\t: AMD EPYC
flags\t\t: fpu sse2 avx2 fma f16c avx512_vnni

processor\t: 1
model name\t: other
"""
ARM = """processor\t: 0
Features\t: fp asimd asimdhp asimddp

Hardware\t: BCM2835
Model\t\t: Raspberry Pi 5 Model B Rev 1.0
"""


def test_x86() -> None:
    facts = read_cpuinfo(X86)
    assert cpu_model(facts) == "AMD EPYC"
    assert instruction_sets(facts) == ["sse2", "f16c", "fma", "avx2", "avx512_vnni"]


def test_arm() -> None:
    facts = read_cpuinfo(ARM)
    assert cpu_model(facts) == "Raspberry Pi 5 Model B Rev 1.0"
    assert instruction_sets(facts) == ["asimd", "asimdhp", "asimddp"]


def test_unknown() -> None:
    assert instruction_sets(read_cpuinfo("")) == []
    assert cpu_model({})
