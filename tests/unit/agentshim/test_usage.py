"""Where the cgroups of containers are found, and what is read from them."""

import pytest

from agentshim.usage import Cgroups

ONE, TWO = "1" * 64, "2" * 64


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def version2(root, place, usec=1_500_000):
    write(root, cgroup__controllers="cpu memory\n")
    write(
        root / place,
        cpu__stat=f"usage_usec {usec}\nuser_usec 1\n",
        memory__current="5000\n",
        memory__stat="anon 1\ninactive_file 1000\n",
        memory__max="max\n",
        pids__current="3\n",
        io__stat="8:0 rbytes=10 wbytes=20 rios=1\n8:16 rbytes=1 wbytes=2\n",
    )


def version1(root, place):
    write(root / "cpuacct" / place, cpuacct__usage="2500000000\n")
    write(
        root / "memory" / place,
        memory__usage_in_bytes="5000\n",
        memory__limit_in_bytes="8000\n",
        memory__stat="cache 1\ntotal_inactive_file 6000\n",
    )
    write(root / "pids" / place, pids__current="4\n")


@pytest.mark.parametrize(
    "parent",
    [
        "docker/{}",
        "system.slice/docker-{}.scope",
        "user.slice/user-1000.slice/user@1000.service/user.slice/docker-{}.scope",
        f"docker/{'a' * 64}/containers/{{}}",
    ],
)
def test_places_of_version_2(tmp_path, parent):
    version2(tmp_path, parent.format(ONE))
    assert Cgroups(str(tmp_path)).usage([ONE, TWO]) == {
        ONE: {
            "cpu_s": 1.5, "memory_bytes": 5000, "working_set_bytes": 4000, "memory_limit_bytes": 0,
            "pids": 3, "read_bytes": 11, "written_bytes": 22,
        }
    }  # fmt: skip


@pytest.mark.parametrize("parent", ["docker/{}", f"docker/{'a' * 64}/containers/{{}}"])
def test_places_of_version_1(tmp_path, parent):
    version1(tmp_path, parent.format(ONE))
    found = Cgroups(str(tmp_path)).usage([ONE])[ONE]
    assert (found["cpu_s"], found["memory_bytes"], found["pids"]) == (2.5, 5000, 4)
    assert (found["working_set_bytes"], found["memory_limit_bytes"]) == (0, 8000)


def test_a_container_that_goes_and_comes_elsewhere(tmp_path):
    version2(tmp_path, f"docker/{ONE}")
    cgroups = Cgroups(str(tmp_path))
    assert set(cgroups.usage([ONE])) == {ONE}
    (tmp_path / "docker").rename(tmp_path / "other")
    version2(tmp_path, f"other/{TWO}", usec=7_000_000)
    found = cgroups.usage([ONE, TWO])
    assert [found[cid]["cpu_s"] for cid in (ONE, TWO)] == [1.5, 7.0]
    assert cgroups.usage([]) == {}


def test_without_any_cgroups(tmp_path):
    assert Cgroups(str(tmp_path / "none")).usage([ONE]) == {}
