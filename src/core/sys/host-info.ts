/** Facts about the machine, under the names that `sys/host-info` gives them. */
import { statfsSync } from 'node:fs'
import {
  arch,
  cpus,
  freemem,
  hostname,
  platform,
  release,
  totalmem,
  type CpuInfo,
  uptime,
} from 'node:os'
import { rfc3339 } from '../../lib/clock.ts'

export function hostInfo(now: number): Record<string, unknown> {
  const processors = cpus()
  return {
    timestamp: rfc3339(now),
    cpu: processors.map(({ model, speed }, cpu) => ({
      cpu,
      cores: 1,
      modelName: model,
      mhz: speed,
    })),
    cpu_times: processors.map(cpuTimes),
    disk: disk('/'),
    host: {
      hostname: hostname(),
      uptime: Math.floor(uptime()),
      bootTime: Math.floor(now / 1000 - uptime()),
      os: platform(),
      platform: platform(),
      kernelVersion: release(),
      kernelArch: arch(),
    },
    memory: memory(),
  }
}

/** In seconds, where the system counts milliseconds. */
function cpuTimes({ times }: CpuInfo, index: number): Record<string, unknown> {
  return {
    cpu: `cpu${index}`,
    user: times.user / 1000,
    system: times.sys / 1000,
    idle: times.idle / 1000,
    nice: times.nice / 1000,
    irq: times.irq / 1000,
  }
}

function memory(): Record<string, number> {
  const [total, free] = [totalmem(), freemem()]
  return {
    total,
    free,
    available: free,
    used: total - free,
    usedPercent: percent(total - free, total),
  }
}

function disk(path: string): Record<string, unknown>[] {
  try {
    const { bsize, blocks, bfree, bavail } = statfsSync(path)
    const used = (blocks - bfree) * bsize
    return [
      {
        path,
        total: blocks * bsize,
        free: bavail * bsize,
        used,
        usedPercent: percent(used, blocks * bsize),
      },
    ]
  } catch {
    // A sandbox may not let us ask; the rest is still worth telling.
    return []
  }
}

const percent = (part: number, whole: number) => (whole === 0 ? 0 : (part / whole) * 100)
