using System;
using System.Data;
using System.Web;

/// <summary>
/// The time sheet, kept in application state: a restart brings the sample back.
/// </summary>
public static class TimesheetData
{
    private static readonly string[] People = { "alice", "bob", "carol", "tanaka" };
    private static readonly string[] Projects = { "Depot Leeds", "Route planning", "Year-end stock", "Fleet renewal", "Training" };

    /// <summary>Returns 57 rows, always the same ones.</summary>
    public static DataTable CreateSample()
    {
        DataTable table = new DataTable("Timesheet");
        DataColumn id = table.Columns.Add("Id", typeof(int));
        id.AutoIncrement = true;
        id.AutoIncrementSeed = 1;
        table.PrimaryKey = new DataColumn[] { id };
        table.Columns.Add("Day", typeof(DateTime));
        table.Columns.Add("Person", typeof(string));
        table.Columns.Add("Project", typeof(string));
        table.Columns.Add("Hours", typeof(decimal));
        table.Columns.Add("Note", typeof(string));
        DateTime first = new DateTime(2009, 3, 2);
        for (int i = 0; i < 57; i++)
        {
            table.Rows.Add(null, first.AddDays(i / 4 + 2 * (i / 20)), People[i % People.Length],
                Projects[(i * 7) % Projects.Length], 1.5m + (i * 5 % 13) * 0.5m, i % 9 == 0 ? "overtime" : "");
        }
        return table;
    }

    /// <summary>Returns a copy, so that pages can bind to it without a lock.</summary>
    public static DataTable Snapshot(HttpApplicationState state)
    {
        state.Lock();
        try { return ((DataTable)state["Timesheet"]).Copy(); }
        finally { state.UnLock(); }
    }

    public static int Add(HttpApplicationState state, DateTime day, string person, string project, decimal hours, string note)
    {
        state.Lock();
        try
        {
            DataTable table = (DataTable)state["Timesheet"];
            return (int)table.Rows.Add(null, day, person, project, hours, note)["Id"];
        }
        finally { state.UnLock(); }
    }

    public static void Change(HttpApplicationState state, int id, string project, decimal hours, string note)
    {
        state.Lock();
        try
        {
            DataRow row = ((DataTable)state["Timesheet"]).Rows.Find(id);
            if (row == null)
                throw new HttpException(404, "There is no such entry.");
            row["Project"] = project;
            row["Hours"] = hours;
            row["Note"] = note;
        }
        finally { state.UnLock(); }
    }

    public static void Delete(HttpApplicationState state, int id)
    {
        state.Lock();
        try
        {
            DataRow row = ((DataTable)state["Timesheet"]).Rows.Find(id);
            if (row != null)
                row.Delete();
            ((DataTable)state["Timesheet"]).AcceptChanges();
        }
        finally { state.UnLock(); }
    }
}
